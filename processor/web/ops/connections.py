"""The pages of connections: their states, and why."""

from datetime import timedelta
from functools import partial
from typing import Any

from flask import Response, request
from markupsafe import Markup

from handlers.diagram import states_svg
from handlers.state import LINKED_STATES, State, has_failed
from processor.codat.json_values import folded
from processor.errors import Conflict
from processor.reconciliation import wiring
from processor.resources import past, queries
from processor.resources.serializers import UNREADABLE
from processor.web.dependencies import get_container
from processor.web.ops import copy, csv_export, filters, rendering
from processor.web.ops.rendering import blueprint
from processor.web.v1.parameters import TimelineQuery

NOTIFICATIONS_SHOWN = 50
COLUMNS = (
    *("id", "state", "company_id", "merchant_id", "platform_key", "platform_name", "source_type"),
    *("authorization", "authorized_at", "progress"),
)


@blueprint.get("/connections")
def connections() -> Response:
    """Connections, newest first."""
    query = rendering.query_of(filters.ConnectionFilter)
    fetch = partial(queries.connections, get_container().reader)
    if csv_export.is_wanted():
        return csv_export.response("connections", COLUMNS, fetch, filters.with_companies(query))
    page = fetch(**filters.with_companies(query))
    companies = filters.company_names(page["items"])
    return rendering.page(
        "connections", page=page, query=query, states=queries.STATES, company_names=companies
    )


@blueprint.get("/connections/<id_>")
def connection(id_: str) -> Response:
    """A connection with its states, timeline, facts and deliveries; with ``at`` as it was believed to be."""
    return _connection_page(folded(id_))


def _connection_page(id_: str, **values: Any) -> Response:
    reader, is_get = get_container().reader, request.method == "GET"
    query = rendering.query_of(TimelineQuery) if is_get else TimelineQuery().load({})
    at = query.get("at")
    connection = past.connection(reader, id_, at)
    is_readable = connection["state"] != UNREADABLE
    entries = past.whole_timeline(reader, id_)
    changes = past.state_changes(entries, at)
    notifications = queries.notifications(
        reader,
        connection_id=id_,
        until=at + timedelta(microseconds=1) if at and at < get_container().clock() else None,
        limit=NOTIFICATIONS_SHOWN,
    )
    is_askable = get_container().codat is not None and connection["company_id"] and is_readable
    return rendering.page(
        "connection",
        at=at,
        meaning=copy.of_connection(connection),
        connection=connection,
        changes=changes,
        picture=Markup(states_svg(State(connection["state"]), changes)) if is_readable else "",  # noqa: S704
        facts=past.facts(reader, id_, at) if is_readable else None,
        timeline=past.timeline(reader, id_, **query),
        query=query,
        outcomes=[(name, f"{name}: {term.meaning}") for name, term in copy.OUTCOMES.items()],
        notifications=notifications,
        last_change=past.last_change(entries, at),
        has_failed=has_failed,
        names=rendering.receiver_names(),
        askable=at is None and is_askable and connection["state"] != State.DELETED,
        linked=connection["state"] in LINKED_STATES,
        **values,
    )


@blueprint.post("/connections/<id_>")
def ask_codat(id_: str) -> Response:
    """Ask Codat about the connection's company now; the answer appears on the timeline."""
    id_, company_id = _with_known_company(id_, "asked about it")
    diff = wiring.compare_now(get_container(), company_id)
    done = "asked-codat" if id_ in diff.connections and diff.events else "asked-codat-in-vain"
    return rendering.back(rendering.address("connection", id_), done)


@blueprint.post("/connections/<id_>/read")
def read_now(id_: str) -> Response:
    """Have Codat read the data of the connection's company now."""
    id_, company_id = _with_known_company(id_, "told to read it")
    get_container().journey.read_again(company_id)
    return rendering.back(rendering.address("connection", id_), "reading")


@blueprint.post("/connections/<id_>/link")
def fresh_link(id_: str) -> Response:
    """The page with a fresh link of Codat's, which is never part of an address."""
    id_ = folded(id_)
    return _connection_page(id_, link_url=get_container().journey.link(id_).link_url)


@blueprint.post("/connections/<id_>/unlink")
def unlink(id_: str) -> Response:
    """End access, at Codat first."""
    id_ = folded(id_)
    get_container().journey.unlink(id_)
    return rendering.back(rendering.address("connection", id_), "unlinked")


@blueprint.post("/connections/<id_>/replay")
def replay_messages(id_: str) -> Response:
    """Put all kept messages that name the connection into the inbox again."""
    id_ = folded(id_)
    company_id = queries.connection(get_container().reader, id_)["company_id"]
    replays = get_container().replay_service
    results = list(replays.replay_each(replays.ids_about(id_, company_id)))
    count = sum(result.problem is None for result in results)
    return rendering.back(rendering.address("connection", id_), "replayed-several", count=count)


@blueprint.post("/connections/<id_>/verify")
def verify(id_: str) -> Response:
    """The page with the result of rebuilding the connection from its kept messages, which changes nothing."""
    id_ = folded(id_)
    return _connection_page(id_, verified=wiring.build_verification(get_container()).run(id_))


def _with_known_company(id_: str, purpose: str) -> tuple[str, str]:
    """The ids of a connection and its company; raises :class:`Conflict` while the company is not known."""
    id_ = folded(id_)
    company_id = queries.connection(get_container().reader, id_)["company_id"]
    if not company_id:
        raise Conflict(f"The company of this connection is not known, so Codat cannot be {purpose}.")
    return id_, str(company_id)
