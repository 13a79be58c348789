"""The site of a caller in a demonstration: customers are signed up here, and come back here.

Its pages show everything that a caller of the service can do for the journey of a customer, by plain forms.
"""

import itertools
import secrets
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from processor.simulator import pages
from processor.simulator.entities import SimulatorRefusal
from processor.simulator.lender_client import LenderClient, segment
from processor.simulator.simulation import Simulation

LENDER_PATH = "/lender"
BRANDS = Path(__file__).with_name("brands")
"""A folder of brands for a demonstration: ``BRAND_DIR``."""

ASKED_FOR: dict[str, list[dict[str, str]]] = {
    "Nothing in particular": [],
    "Accounting, and a shop if they like": [
        {"source_type": "accounting"},
        {"source_type": "commerce", "need": "optional"},
    ],
}
DAYS = (1, 3, 25, 83)
"""How far a demonstration can look ahead: to the reminders that come after so many days."""

_numbers = itertools.count(1)


def lender_blueprint(simulation: Simulation) -> Blueprint:
    """The lender's pages. With a link of the service as ``connect``, the first opens it in a panel."""
    lender = Blueprint("lender", __name__, template_folder="templates", url_prefix=LENDER_PATH)

    @lender.before_request
    def refuse_foreign_forms() -> None:
        is_same_site = request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")
        if request.method == "POST" and not is_same_site:
            raise SimulatorRefusal(403, "This form was sent by another site")

    pages.protect(lender, refusal="That did not work")

    @lender.get("")
    def show() -> ResponseReturnValue:
        product_url = simulation.config.product_url
        link = request.args.get("connect", "")
        if product_url and link.startswith(f"{product_url}/connect/"):
            return with_panel("simulator/lender_panel.html", link=link)
        if request.args or simulation.lender is None:
            return render_template(
                "simulator/lender.html",
                parameters=sorted(request.args.items()),
                company_id=request.args.get("company_id") if simulation.lender else None,
            )
        return render_template(
            "simulator/lender_start.html",
            number=next(_numbers),
            brands=simulation.lender.brands,
            languages=simulation.lender.languages,
            choices=ASKED_FOR,
            customers=list(simulation.world.companies()),
        )

    @lender.post("/customers")
    def sign_up() -> ResponseReturnValue:
        form = request.form
        fields: dict[str, Any] = {
            name: form[name]
            for name in ("name", "contact_email", "brand", "language", "group")
            if form.get(name, "").strip()
        }
        if asked_for := ASKED_FOR.get(form.get("asked_for", "")):
            fields["asked_for"] = asked_for
        merchant_id = f"demo-{secrets.token_hex(3)}"
        back = {"return_url": f"{simulation.config.base_url}{LENDER_PATH}?loan=7", "state": "order-17"}
        company_id = client_of_service().sign_up({"merchant_id": merchant_id, **back, **fields})
        return to_customer(company_id)

    @lender.get("/customers/<company_id>")
    def customer(company_id: str) -> ResponseReturnValue:
        client = client_of_service()
        return with_panel(
            "simulator/lender_customer.html",
            company_id=company_id,
            links=client.links,
            expired_link=client.expired_link(company_id),
            known_products=simulation.config.products,
            days=DAYS,
            languages=client.languages,
            **client.overview(company_id),
        )

    @lender.post("/customers/<company_id>/<action>")
    def act(company_id: str, action: str) -> ResponseReturnValue:
        form, client, path = request.form, client_of_service(), f"/companies/{segment(company_id)}"
        match action:
            case "add-person":
                client.add_person(company_id, form.get("email", ""), form.get("name", ""))
            case "remove-person":
                client.call("DELETE", f"{path}/people/{segment(form.get('person_id', ''))}")
            case "add-product":
                client.call("PUT", f"{path}/products/{segment(form.get('product', ''))}")
            case "remove-product":
                client.call("DELETE", f"{path}/products/{segment(form.get('product', ''))}")
            case "read":
                client.call("POST", f"{path}/read")
            case "pass-days":
                client.pass_days(company_id, form.get("days", 1, int))
            case "delete":
                client.call("DELETE", path)
                return redirect(url_for("lender.show"), 303)
            case _:
                raise SimulatorRefusal(404, "There is no such action")
        return to_customer(company_id)

    @lender.get("/mails")
    def mails() -> ResponseReturnValue:
        return render_template("simulator/lender_mails.html", mails=client_of_service().mails())

    def with_panel(template: str, **values: Any) -> Response:
        """A page that may show the service's pages."""
        product_url = simulation.config.product_url
        answer = Response(render_template(template, product_url=product_url, **values))
        policy = f"{pages.CONTENT_SECURITY_POLICY}; script-src {product_url}; frame-src {product_url}"
        answer.headers["Content-Security-Policy"] = policy
        return answer

    def client_of_service() -> LenderClient:
        if simulation.lender is None:
            raise SimulatorRefusal(404, "This simulator knows no key of the service")
        return simulation.lender

    def to_customer(company_id: str) -> ResponseReturnValue:
        return redirect(url_for("lender.customer", company_id=company_id), 303)

    return lender
