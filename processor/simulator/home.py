"""The home page: everything that can happen at Codat, by plain forms."""

from dataclasses import dataclass

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from processor.simulator import pages
from processor.simulator.entities import COMPLETE, FirstSync, SimulatedConnection, SimulatorRefusal, Status
from processor.simulator.platforms import PICTURES, PLATFORMS, picture, platform_of
from processor.simulator.simulation import Options, Simulation

_SHOWN_DELIVERIES = 40
_REFRESH_S = 2


@dataclass(frozen=True, slots=True)
class Button:
    """A change that can be made to a connection now; ``is_grave`` ones look so."""

    name: str
    label: str
    is_grave: bool = False


def home_blueprint(simulation: Simulation) -> Blueprint:
    home = Blueprint(
        "home",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/simulator/static",
    )

    pages.protect(home, refusal="Codat does not do that", way_home=True)

    @home.get("/")
    def show() -> ResponseReturnValue:
        companies = simulation.world.companies()
        connections = [connection for company in companies for connection in company.present]
        is_reading = any(read.running for connection in connections for read in connection.reads)
        return render_template(
            "simulator/home.html",
            companies=companies,
            platforms=[platform for platform in PLATFORMS if platform.enabled],
            buttons_of=buttons_of,
            deliveries=simulation.delivery.records()[:_SHOWN_DELIVERIES],
            config=simulation.config,
            has_lender=simulation.lender is not None,
            generations=sorted(simulation.generations),
            refresh_s=_REFRESH_S if is_reading else None,
        )

    @home.post("/home/companies")
    def create_company() -> ResponseReturnValue:
        company = simulation.world.create_company(request.form.get("name", "").strip())
        return redirect(url_for("home.show", _anchor=f"company-{company.id}"), 303)

    @home.post("/home/companies/<company_id>/delete")
    def delete_company(company_id: str) -> ResponseReturnValue:
        simulation.world.delete_company(company_id)
        return redirect(url_for("home.show"), 303)

    @home.post("/home/companies/<company_id>/connect")
    def connect(company_id: str) -> ResponseReturnValue:
        connection = simulation.world.create_connection(company_id, request.form.get("platform_key"))
        return redirect(simulation.fresh_link_url(connection), 303)

    @home.post("/home/connections/<connection_id>/link")
    def link(connection_id: str) -> ResponseReturnValue:
        connection = simulation.world.find_connection(connection_id)
        return redirect(simulation.fresh_link_url(connection), 303)

    @home.post("/home/connections/<connection_id>/<change>")
    def change_connection(connection_id: str, change: str) -> ResponseReturnValue:
        connection = simulation.world.find_connection(connection_id)
        name, options = _named(connection, change)
        simulation.change(connection_id, name, options)
        return redirect(url_for("home.show", _anchor=f"company-{connection.company_id}"), 303)

    @home.get("/branding/<key>/<kind>.svg")
    def show_picture(key: str, kind: str) -> ResponseReturnValue:
        platform = platform_of(key)
        if platform is None or kind not in PICTURES:
            raise SimulatorRefusal(404, "There is no such picture")
        answer = Response(picture(platform, kind), mimetype="image/svg+xml")
        answer.headers["Cache-Control"] = "max-age=86400"
        answer.headers["Access-Control-Allow-Origin"] = "*"
        return answer

    return home


def buttons_of(connection: SimulatedConnection) -> list[Button]:
    """The changes that can be made to a connection as it is now."""
    buttons: list[Button] = []
    if connection.status is Status.LINKED:
        running = connection.first_sync is FirstSync.RUNNING
        if connection.first_sync is None:
            buttons.append(Button("start-sync", "Start first sync"))
        if connection.first_sync is None or running:
            buttons += [
                Button("complete-sync", "Complete first sync"),
                Button("complete-partially", "Complete it partially"),
                Button("fail-sync", "Fail first sync"),
            ]
        else:
            buttons.append(Button("read", "Read again"))
        buttons += [Button("deauthorize", "Deauthorise (revoked)", True), Button("unlink", "Unlink", True)]
    buttons.append(Button("delete", "Delete connection", True))
    return buttons


def _named(connection: SimulatedConnection, change: str) -> tuple[str, Options]:
    """The change of the control API that a button stands for, with its options."""
    data_types = connection.platform.data_types
    if change == "fail-sync":
        return "complete-sync", {"outcomes": dict.fromkeys(data_types, "FetchError")}
    if change == "complete-partially":
        outcomes = {
            name: COMPLETE if number % 2 == 0 else "FetchError" for number, name in enumerate(data_types)
        }
        return "complete-sync", {"outcomes": outcomes}
    return change, {}
