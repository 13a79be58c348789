"""The Link page, where the user authorises a connection or ends the attempt in another way.

https://docs.codat.io/auth-flow/authorize-hosted-link and /auth-flow/customize/set-up-redirects
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue

from processor.simulator import pages
from processor.simulator.entities import SimulatedConnection, SimulatorRefusal, Status
from processor.simulator.simulation import Simulation
from processor.simulator.world import FAILURES


@dataclass(frozen=True, slots=True)
class Ending:
    """How a visit of the Link page ends: what its button says, and Codat's status code for the way back."""

    name: str
    label: str
    hint: str
    status_code: int
    status_text: str


ENDINGS: tuple[Ending, ...] = (
    Ending("authorize", "Authorise", "Give access to the data of this company.", 200, "Connected"),
    Ending("cancel", "Cancel", "The user does not want to give access.", 403, FAILURES[403][0]),
    Ending("unsupported", "Platform not supported", "The user's platform is missing.", 501, FAILURES[501][0]),
    Ending("error", "Error", "Something goes wrong at the platform.", 500, FAILURES[500][0]),
    Ending("leave", "Leave", "The user goes away without doing anything.", 201, "Left without linking"),
)
_BY_NAME: Mapping[str, Ending] = {ending.name: ending for ending in ENDINGS}


def link_blueprint(simulation: Simulation) -> Blueprint:
    link = Blueprint("link", __name__, url_prefix="/link", template_folder="templates")

    pages.protect(link, refusal="Not found")

    @link.get("/<connection_id>")
    def show(connection_id: str) -> ResponseReturnValue:
        if request.method == "HEAD":
            return ""
        connection = simulation.world.find_connection(connection_id)
        if not simulation.passwords.redeem(
            connection_id, request.args.get("otp", ""), lifetime_s=connection.platform.link_lasts_s
        ):
            return _expired()
        visit = simulation.passwords.issue(f"visit of {connection_id}")
        return render_template(
            "simulator/link.html",
            connection=connection,
            company=simulation.world.company(connection.company_id),
            endings=ENDINGS,
            visit=visit,
            parameters={name: value for name, value in request.args.items() if name != "otp"},
        )

    @link.post("/<connection_id>")
    def end(connection_id: str) -> ResponseReturnValue:
        ending = _BY_NAME.get(request.form.get("ending", ""))
        connection = simulation.world.find_connection(connection_id)
        visit = request.form.get("visit", "")
        if ending is None or not simulation.passwords.redeem(f"visit of {connection_id}", visit):
            return _expired()
        account_name = request.form.get("account_name", "").strip()
        ending, message = _apply(simulation, connection, ending, account_name)
        template = simulation.config.redirect_url
        if template is not None:
            return redirect(way_back(template, connection, ending, message, request.args), 303)
        return render_template(
            "simulator/message.html",
            title=ending.status_text,
            text=f"{message} You may close this page.".strip(),
            status_code=ending.status_code,
        )

    return link


def way_back(
    template: str,
    connection: SimulatedConnection,
    ending: Ending,
    message: str,
    parameters: Mapping[str, str],
) -> str:
    """The redirect URL with its placeholders filled in; what is no placeholder stays as it is.

    ``parameters`` of the link fill placeholders of the client's own.
    """
    values = {
        **parameters,
        "companyId": connection.company_id,
        "connectionId": connection.id,
        "integrationId": connection.platform.integration_id,
        "platform": connection.platform.key,
        "platformName": connection.platform.name,
        "sourceType": connection.platform.source_type,
        "statusCode": str(ending.status_code),
        "errorMessage": message,
        "statusText": ending.status_text,
        "data.company.companyName": _company_name(connection, ending),
    }

    def fill(match: re.Match[str]) -> str:
        return quote(values.get(match[1], match[0]), safe="")

    # Browsers and settings pages may have encoded the braces.
    return re.sub(r"(?:\{|%7B)([\w.]+)(?:\}|%7D)", fill, template, flags=re.IGNORECASE)


def _company_name(connection: SimulatedConnection, ending: Ending) -> str:
    """The name of the business at the platform; empty where nothing was connected."""
    return (connection.account_name or "") if ending.status_code == 200 else ""


def _apply(
    simulation: Simulation, connection: SimulatedConnection, ending: Ending, account_name: str
) -> tuple[Ending, str]:
    """Make happen at Codat what the user chose; how it really ended, and a sentence about it.

    An empty ``account_name`` leaves it as it was.
    """
    if ending.status_code == 201:
        return ending, ""
    if ending.status_code != 200:
        simulation.change(connection.id, "fail", {"status_code": ending.status_code})
        return ending, FAILURES[ending.status_code][1]
    if connection.status is Status.LINKED:
        return ending, ""
    try:
        simulation.change(connection.id, "authorize", {"account_name": account_name})
    except SimulatorRefusal as refused:
        simulation.change(connection.id, "fail", {"status_code": 500})
        return _BY_NAME["error"], refused.sentence
    return ending, ""


def _expired() -> ResponseReturnValue:
    text = "A link works once, and for a day or less. Go back to where you came from and ask for a new one."
    return render_template("simulator/message.html", title="This link has expired", text=text), 410
