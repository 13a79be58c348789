"""The pages of connections: their states, and why."""

from flask import Response

from handlers.state import has_failed
from processor.codat.json_values import folded
from processor.errors import Conflict
from processor.reconciliation import wiring
from processor.resources import queries
from processor.web.dependencies import get_container
from processor.web.ops import auth, copy, rendering
from processor.web.ops.rendering import blueprint
from processor.web.v1.parameters import ConnectionQuery, PageQuery

NOTIFICATIONS_SHOWN = 50
NEVER_ASKED = ("deleted", "unreadable")
"""States for which Codat cannot be asked."""


@blueprint.get("/connections")
def connections() -> Response:
    """Connections, newest first."""
    query = rendering.query_of(ConnectionQuery)
    page = queries.connections(get_container().reader, **query)
    return rendering.page("connections", page=page, query=query, states=queries.STATES)


@blueprint.get("/connections/<id_>")
def connection(id_: str) -> Response:
    """One connection with its timeline and notifications."""
    id_, reader = folded(rendering.requested_id(id_)), get_container().reader
    connection = queries.connection(reader, id_)
    timeline = queries.timeline(reader, id_, **rendering.query_of(PageQuery))
    notifications = queries.notifications(reader, connection_id=id_, limit=NOTIFICATIONS_SHOWN)
    last_change = next((entry for entry in timeline["items"] if entry["from"] != entry["to"]), None)
    return rendering.page(
        "connection",
        meaning=copy.of_connection(connection),
        connection=connection,
        timeline=timeline,
        notifications=notifications,
        last_change=last_change,
        has_failed=has_failed,
        names=rendering.receiver_names(),
        askable=get_container().codat is not None
        and connection["company_id"]
        and connection["state"] not in NEVER_ASKED,
    )


@blueprint.post("/connections/<id_>")
def ask_codat(id_: str) -> Response:
    """Ask Codat about the connection's company now; the answer appears on the timeline."""
    auth.check_form()
    id_, company_id = _with_known_company(id_, "asked about it")
    diff = wiring.compare_now(get_container(), company_id)
    done = "asked-codat" if id_ in diff.connections and diff.events else "asked-codat-in-vain"
    return rendering.back(rendering.address("connection", id_), done)


@blueprint.post("/connections/<id_>/read")
def read_now(id_: str) -> Response:
    """Have Codat read the data of the connection's company now."""
    auth.check_form()
    id_, company_id = _with_known_company(id_, "told to read it")
    get_container().journey.read_again(company_id)
    return rendering.back(rendering.address("connection", id_), "reading")


def _with_known_company(id_: str, purpose: str) -> tuple[str, str]:
    """The ids of a connection and its company; raises :class:`Conflict` while the company is not known."""
    id_ = folded(rendering.requested_id(id_))
    company_id = queries.connection(get_container().reader, id_)["company_id"]
    if not company_id:
        raise Conflict(f"The company of this connection is not known, so Codat cannot be {purpose}.")
    return id_, str(company_id)
