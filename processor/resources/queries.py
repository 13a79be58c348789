"""Queries whose results the API, the pages and the command line return.

A page of a filtered list may have fewer than ``limit`` items although ``next_cursor`` leads on.

Each raises :class:`NotFound` for an unknown id, :class:`Invalid` for an invalid cursor, and
``redis.RedisError`` if Redis does not answer.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypedDict, Unpack

from redis import Redis

from handlers.state import State
from processor.alerts.replay import find_message
from processor.clock import from_iso
from processor.conditions.model import Condition
from processor.delivery import serializers as delivery_serializers
from processor.delivery.lane_admin import LaneAdmin
from processor.errors import Invalid, NotFound
from processor.resources import serializers
from processor.store.cursors import ResultPage, filtered_page
from processor.store.queries import Reader
from processor.store.records import StoredConnection, UnreadableConnection

MAX_READS = 100
"""Pages of an index that are read for one filtered page."""

STATES = tuple(state.value for state in State)


class Filters(TypedDict, total=False):
    """Filters of every list: companies, and a time from ``since`` on and before ``until``; ``None``: all."""

    company_id: str | None
    merchant_id: str | None
    company_ids: Sequence[str] | None
    since: datetime | None
    until: datetime | None


def connections(
    reader: Reader,
    *,
    state: str | None = None,
    platform: str | None = None,
    limit: int,
    cursor: str | None = None,
    **filters: Unpack[Filters],
) -> dict[str, Any]:
    """Connections that match every given filter, newest first."""

    def matches(row: StoredConnection | UnreadableConnection) -> bool:
        if platform is None:
            return True
        names = (
            {row.connection.platform_key, row.connection.platform_name}
            if isinstance(row, StoredConnection)
            else set()
        )
        return platform.casefold() in {name.casefold() for name in names if name}

    read = partial(reader.list_connections, state=state)
    return _page(read, matches, serializers.connection, limit=limit, cursor=cursor, **filters)


def _page(
    read: Callable[..., ResultPage],
    matches: Callable[[Any], bool],
    represent: Callable[[Any], dict[str, Any]],
    *,
    limit: int,
    cursor: str | None,
    since: datetime | None = None,
    until: datetime | None = None,
    **companies: Any,
) -> dict[str, Any]:
    """A page of what ``read`` returns of the time and the companies, and what of it ``matches``."""
    if since is not None and until is not None and since >= until:
        raise Invalid(errors={"until": ["Must be later than since."]})
    fetch = partial(read, between=(since, until), **companies)
    page = filtered_page(fetch, matches, limit=limit, cursor=cursor, max_reads=MAX_READS)
    return serializers.page(page, represent)


def connection(reader: Reader, connection_id: str) -> dict[str, Any]:
    return serializers.connection(_row(reader, connection_id))


def _row(reader: Reader, connection_id: str) -> StoredConnection | UnreadableConnection:
    row = reader.row(connection_id)
    if row is None:
        raise NotFound("There is no connection with this id.")
    return row


def timeline(reader: Reader, connection_id: str, *, limit: int, cursor: str | None = None) -> dict[str, Any]:
    """The timeline of a connection, newest first."""
    _row(reader, connection_id)
    page = reader.timeline(connection_id, limit=limit, cursor=cursor)
    return serializers.page(page)


def companies(
    reader: Reader, *, merchant_id: str | None = None, limit: int, cursor: str | None = None
) -> dict[str, Any]:
    """All companies, or those of a merchant, including deleted ones, newest first."""
    page = reader.list_companies(merchant_id=merchant_id, limit=limit, cursor=cursor)
    return serializers.page(page, serializers.company)


def company(reader: Reader, company_id: str) -> dict[str, Any]:
    row = reader.company(company_id)
    if row is None:
        raise NotFound("There is no company with this id.")
    return serializers.company(row)


def company_connections(reader: Reader, company_id: str, **query: Any) -> dict[str, Any]:
    """The connections of one company, newest first; ``query`` as of :func:`connections`."""
    company(reader, company_id)
    return connections(reader, company_id=company_id, **query)


def events(
    reader: Reader,
    *,
    status: str | None = None,
    connection_id: str | None = None,
    type: str | None = None,
    limit: int,
    cursor: str | None = None,
    **filters: Unpack[Filters],
) -> dict[str, Any]:
    """Messages that match every given filter, without their bodies, newest first."""
    since, until = filters.get("since"), filters.get("until")

    def matches(row: dict[str, Any]) -> bool:
        arrived_at = from_iso(row["received_at"])
        return (
            status in (None, row.get("status"))
            and (type is None or type.casefold() == (row.get("type") or "").casefold())
            and (connection_id is None or connection_id in row["connection_ids"])
            and (since is None or since <= arrived_at)
            and (until is None or arrived_at < until)
        )

    read = partial(reader.list_events, status=status)
    return _page(read, matches, serializers.event, limit=limit, cursor=cursor, **filters)


def event(reader: Reader, event_id: str) -> dict[str, Any]:
    """One message with its body."""
    row = find_message(reader, event_id)
    if row is None:
        raise NotFound("There is no event with this id, or it is not kept any more.")
    return serializers.whole_event(row)


def notifications(
    reader: Reader,
    *,
    connection_id: str | None = None,
    subscriber_id: str | None = None,
    type: str | None = None,
    status: str | None = None,
    limit: int,
    cursor: str | None = None,
    **filters: Unpack[Filters],
) -> dict[str, Any]:
    """Notifications that match every given filter, newest first."""

    def matches(row: dict[str, Any]) -> bool:
        has_status = status is None or delivery_serializers.is_listed(row["deliveries"], status)
        is_for = subscriber_id is None or f"{subscriber_id}:status" in row["deliveries"]
        return has_status and is_for and type in (None, row["body"]["type"])

    indexed = None if status == delivery_serializers.PUBLISHED else status
    read = partial(reader.list_notifications, connection_id=connection_id, status=indexed)
    return _page(read, matches, serializers.notification, limit=limit, cursor=cursor, **filters)


def notification(reader: Reader, notification_id: str) -> dict[str, Any]:
    row = reader.notification(notification_id)
    if row is None:
        raise NotFound("There is no notification with this id.")
    return serializers.notification(row)


def stats(reader: Reader, client: "Redis[Any]", conditions: Sequence[Condition]) -> dict[str, Any]:
    """Counts, lanes and conditions of the service; ``client`` is that of the reader."""
    lanes = [delivery_serializers.lane(state) for state in LaneAdmin(client).used_states()]
    return serializers.stats(reader.stats(STATES), lanes, conditions)
