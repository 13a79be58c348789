"""Looking things up for people and programs: the same answers for the API and the command line.

Raises :class:`NotFound` for an id that nobody knows, :class:`Invalid` for a cursor that is none,
and ``redis.RedisError`` when Redis does not answer.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from redis import Redis

from handlers.state import State
from processor.conditions.model import Condition
from processor.delivery import serializers as delivery_serializers
from processor.delivery.lane_admin import LaneAdmin
from processor.errors import Invalid, NotFound
from processor.resources import serializers
from processor.store.cursors import ResultPage
from processor.store.queries import Reader
from processor.store.records import StoredConnection, UnreadableConnection

MOST_LOOKS = 100
"""So many times a list is read on for items that fit, before the page is handed out as it is."""

STATES = tuple(state.value for state in State)


def connections(
    reader: Reader,
    *,
    state: str | None = None,
    company_id: str | None = None,
    merchant_id: str | None = None,
    limit: int,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Connections, newest first; every filter that is given must fit."""
    page = reader.list_connections(
        state=state, company_id=company_id, merchant_id=merchant_id, limit=limit, cursor=cursor
    )
    return serializers.page([serializers.connection(row) for row in page.items], page.next_cursor)


def connection(reader: Reader, connection_id: str) -> dict[str, Any]:
    """One connection."""
    return serializers.connection(_row(reader, connection_id))


def _row(reader: Reader, connection_id: str) -> StoredConnection | UnreadableConnection:
    row = next(iter(reader.rows([connection_id])), None)
    if row is None:
        raise NotFound("There is no connection with this id.")
    return row


def timeline(reader: Reader, connection_id: str, *, limit: int, cursor: str | None = None) -> dict[str, Any]:
    """What happened to a connection, newest first."""
    _row(reader, connection_id)
    page = reader.timeline(connection_id, limit=limit, cursor=cursor)
    return serializers.page([serializers.timeline_entry(entry) for entry in page.items], page.next_cursor)


def companies(
    reader: Reader, *, merchant_id: str | None = None, limit: int, cursor: str | None = None
) -> dict[str, Any]:
    """Companies, deleted ones too, newest first; of a merchant or all."""
    page = reader.list_companies(merchant_id=merchant_id, limit=limit, cursor=cursor)
    return serializers.page([serializers.company(row) for row in page.items], page.next_cursor)


def company(reader: Reader, company_id: str) -> dict[str, Any]:
    """One company."""
    row = reader.company(company_id)
    if row is None:
        raise NotFound("There is no company with this id.")
    return serializers.company(row)


def company_connections(
    reader: Reader, company_id: str, *, state: str | None = None, limit: int, cursor: str | None = None
) -> dict[str, Any]:
    """The connections of one company, newest first."""
    company(reader, company_id)
    return connections(reader, state=state, company_id=company_id, limit=limit, cursor=cursor)


def events(
    reader: Reader,
    *,
    status: str | None = None,
    company_id: str | None = None,
    limit: int,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Messages without their bodies, newest first; every filter that is given must fit."""
    found: list[dict[str, Any]] = []
    for _ in range(MOST_LOOKS):
        page: ResultPage = reader.list_events(
            status=status, company_id=company_id, limit=limit - len(found), cursor=cursor
        )
        found += [serializers.event(row) for row in page.items if status in (None, row.get("status"))]
        cursor = page.next_cursor
        if len(found) >= limit or cursor is None:
            break
    return serializers.page(found, cursor)


def event(reader: Reader, event_id: str) -> dict[str, Any]:
    """One message with its body."""
    row = reader.event(event_id)
    if row is None:
        raise NotFound("There is no event with this id, or it is not kept any more.")
    return serializers.whole_event(row)


def notifications(
    reader: Reader,
    *,
    connection_id: str | None = None,
    company_id: str | None = None,
    merchant_id: str | None = None,
    type: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    status: str | None = None,
    limit: int,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Notifications, newest first; every filter that is given must fit.

    A page may hold fewer than ``limit`` where few fit: ``next_cursor`` goes on.
    """
    if since is not None and until is not None and since >= until:
        raise Invalid(errors={"until": ["Must be later than since."]})
    indexed = None if status == delivery_serializers.PUBLISHED else status
    found: list[dict[str, Any]] = []
    for _ in range(MOST_LOOKS):
        page = reader.list_notifications(
            connection_id=connection_id,
            company_id=company_id,
            merchant_id=merchant_id,
            status=indexed,
            since=since,
            until=until,
            limit=limit - len(found),
            cursor=cursor,
        )
        found += [
            serializers.notification(row)
            for row in page.items
            if (status is None or delivery_serializers.is_listed(row["deliveries"], status))
            and type in (None, row["body"]["type"])
        ]
        cursor = page.next_cursor
        if len(found) >= limit or cursor is None:
            break
    return serializers.page(found, cursor)


def notification(reader: Reader, notification_id: str) -> dict[str, Any]:
    """One notification."""
    row = reader.notification(notification_id)
    if row is None:
        raise NotFound("There is no notification with this id.")
    return serializers.notification(row)


def stats(reader: Reader, client: "Redis[Any]", conditions: Sequence[Condition]) -> dict[str, Any]:
    """How the service stands; ``client`` is that of the reader."""
    lanes = [delivery_serializers.lane(state) for state in LaneAdmin(client).used_states()]
    return serializers.stats(reader.stats(STATES), lanes, conditions)
