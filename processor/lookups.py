"""Looking things up for people and programs: the same answers for the API and the command line.

Raises :class:`NotFound` for an id that nobody knows, :class:`Invalid` for a cursor that is none,
and ``redis.RedisError`` when Redis does not answer.
"""

from typing import Any

from handlers.situation import State
from processor import views
from processor.delivery.told import PUBLISHED
from processor.errors import Invalid, NotFound
from processor.store.reader import Page, Reader

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
    if merchant_id is not None:
        found = reader.company_of(merchant_id)
        if found is None or company_id not in (None, found):
            return _only([], cursor)
        company_id = found
    page = reader.list_connections(state=state, company_id=company_id, limit=limit, cursor=cursor)
    return views.page([views.connection(stored) for stored in page.items], page.next_cursor)


def connection(reader: Reader, connection_id: str) -> dict[str, Any]:
    """One connection."""
    stored = reader.connection(connection_id)
    if stored is None:
        raise NotFound("There is no connection with this id.")
    return views.connection(stored)


def timeline(reader: Reader, connection_id: str, *, limit: int, cursor: str | None = None) -> dict[str, Any]:
    """What happened to a connection, newest first."""
    if reader.connection(connection_id) is None:
        raise NotFound("There is no connection with this id.")
    page = reader.timeline(connection_id, limit=limit, cursor=cursor)
    return views.page([views.timeline_entry(entry) for entry in page.items], page.next_cursor)


def companies(
    reader: Reader, *, merchant_id: str | None = None, limit: int, cursor: str | None = None
) -> dict[str, Any]:
    """Companies, newest first, or the one that belongs to a merchant id."""
    if merchant_id is None:
        page = reader.list_companies(limit=limit, cursor=cursor)
        return views.page([views.company(row) for row in page.items], page.next_cursor)
    company_id = reader.company_of(merchant_id)
    row = None if company_id is None else reader.company(company_id)
    return _only([] if row is None else [views.company(row)], cursor)


def company(reader: Reader, company_id: str) -> dict[str, Any]:
    """One company."""
    row = reader.company(company_id)
    if row is None:
        raise NotFound("There is no company with this id.")
    return views.company(row)


def company_connections(
    reader: Reader, company_id: str, *, state: str | None = None, limit: int, cursor: str | None = None
) -> dict[str, Any]:
    """The connections of one company, newest first."""
    company(reader, company_id)
    return connections(reader, state=state, company_id=company_id, limit=limit, cursor=cursor)


def events(
    reader: Reader, *, status: str | None = None, limit: int, cursor: str | None = None
) -> dict[str, Any]:
    """Messages without their bodies, newest first."""
    found: list[dict[str, Any]] = []
    while True:
        page: Page = reader.list_events(status=status, limit=limit - len(found), cursor=cursor)
        found += [views.event(row) for row in page.items if status in (None, row.get("status"))]
        cursor = page.next_cursor
        if len(found) >= limit or cursor is None:
            return views.page(found, cursor)


def event(reader: Reader, event_id: str) -> dict[str, Any]:
    """One message with its body."""
    row = reader.event(event_id)
    if row is None:
        raise NotFound("There is no event with this id, or it is not kept any more.")
    return views.whole_event(row)


def notifications(
    reader: Reader,
    *,
    connection_id: str | None = None,
    status: str | None = None,
    limit: int,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Notifications, newest first."""
    indexed = None if status == PUBLISHED else status
    found: list[dict[str, Any]] = []
    while True:
        page = reader.list_notifications(
            connection_id=connection_id, status=indexed, limit=limit - len(found), cursor=cursor
        )
        shown = (views.notification(row) for row in page.items)
        found += [one for one in shown if status in (None, one["status"])]
        cursor = page.next_cursor
        if len(found) >= limit or cursor is None:
            return views.page(found, cursor)


def notification(reader: Reader, notification_id: str) -> dict[str, Any]:
    """One notification."""
    row = reader.notification(notification_id)
    if row is None:
        raise NotFound("There is no notification with this id.")
    return views.notification(row)


def stats(reader: Reader) -> dict[str, Any]:
    """How the service stands."""
    return views.stats(reader.stats(STATES))


def _only(items: list[dict[str, Any]], cursor: str | None) -> dict[str, Any]:
    """A list of one page, for which there never was a cursor."""
    if cursor is not None:
        raise Invalid(errors={"cursor": ["This is no cursor of this list."]})
    return views.page(items, None)
