"""Reads records: one, or a page of a list.

An unreadable record is noted (see :mod:`processor.store.unreadable`) and skipped; lists of connections name
it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from redis import Redis

from processor.clock import from_ms, to_us, utc_now
from processor.store import codat_status, cursors, keys, records, unreadable
from processor.store.cursors import ResultPage
from processor.store.decoding import text, text_fields, texts
from processor.store.records import (
    COMPANY,
    CONNECTION,
    EVENT,
    EVENT_FIELDS,
    EVENT_STATUSES,
    NOTIFICATION,
    TIMELINE,
    StoredConnection,
    UnreadableConnection,
)
from processor.store.unreadable import UnreadableRecord

NOTE_LIFETIME = timedelta(minutes=10)
"""Lifetime of a note about another kind of record; reading the record again renews it."""

TIMELINE_ENTRIES = 1_000


class Reader:
    """Reads the store. Every method raises ``redis.RedisError`` if Redis does not answer."""

    def __init__(self, client: "Redis[Any]") -> None:
        self._client = client

    # Connections

    def connection(self, connection_id: str) -> StoredConnection | None:
        """One connection; ``None`` if it is unknown or its record cannot be read."""
        return next(iter(self.connections([connection_id])), None)

    def connections(self, connection_ids: Sequence[str]) -> list[StoredConnection]:
        """The known and readable ones of the connections, in the same order."""
        return [row for row in self.rows(connection_ids) if isinstance(row, StoredConnection)]

    def rows(self, connection_ids: Sequence[str]) -> list[StoredConnection | UnreadableConnection]:
        """The known ones of the connections, in the same order."""
        rows = records.read_connections(self._client, connection_ids, parse=records.checked_connection)
        return [rows[connection_id] for connection_id in connection_ids if connection_id in rows]

    def list_connections(
        self,
        *,
        state: str | None = None,
        company_id: str | None = None,
        merchant_id: str | None = None,
        limit: int,
        cursor: str | None,
    ) -> ResultPage:
        """Connections that match every given filter, newest first.

        An unreadable one is an :class:`UnreadableConnection`, whose state is unknown.
        """
        parts: list[str] | None = None
        if company_id is not None:
            index = keys.company_connections(company_id)
        elif merchant_id is not None:
            index = f"{keys.connections()} {keys.merchant_companies(merchant_id)}"
        else:
            index = keys.connections() if state is None else keys.connections_in(state)
        if merchant_id is not None:
            companies = self.company_ids(merchant_id)
            parts = [keys.company_connections(id_) for id_ in companies if company_id in (None, id_)]

        def fetch(limit: int, cursor: str | None) -> ResultPage:
            page = cursors.page(self._client, index, limit=limit, cursor=cursor, parts=parts)
            return ResultPage(self.rows(page.items), page.next_cursor)

        def matches(row: StoredConnection | UnreadableConnection) -> bool:
            return state is None or getattr(row, "state", None) == state

        return cursors.filtered_page(fetch, matches, limit=limit, cursor=cursor)

    def company_ids(self, merchant_id: str) -> list[str]:
        """The ids of all companies of a merchant, including deleted ones, newest last."""
        return texts(self._client.zrange(keys.merchant_companies(merchant_id), 0, -1))

    def current_company_id(self, merchant_id: str) -> str | None:
        """The oldest company of a merchant that is not deleted, else the newest; ``None`` without one."""
        companies = self.company_ids(merchant_id)
        with self._client.pipeline(transaction=False) as pipe:
            for company_id in companies:
                pipe.hexists(keys.company(company_id), "deleted_at")
            deleted = pipe.execute()
        present = [id_ for id_, is_deleted in zip(companies, deleted, strict=True) if not is_deleted]
        return next(iter([*present, *companies[::-1]]), None)

    def list_companies(self, *, merchant_id: str | None = None, limit: int, cursor: str | None) -> ResultPage:
        """The fields of all companies, or of those of a merchant, newest first."""
        index = keys.companies() if merchant_id is None else keys.merchant_companies(merchant_id)
        page = self.member_page(index, limit=limit, cursor=cursor)
        with self._client.pipeline(transaction=False) as pipe:
            for company_id in page.items:
                pipe.hgetall(keys.company(company_id))
            rows = pipe.execute(raise_on_error=False)
        companies = (self._company(company_id, row) for company_id, row in zip(page.items, rows, strict=True))
        return ResultPage([row for row in companies if row], page.next_cursor)

    def company(self, company_id: str) -> dict[str, str] | None:
        """The fields of a company; ``None`` if it is unknown or unreadable."""
        with self._client.pipeline(transaction=False) as pipe:
            pipe.hgetall(keys.company(company_id))
            (row,) = pipe.execute(raise_on_error=False)
        return self._company(company_id, row)

    def _company(self, company_id: str, row: Any) -> dict[str, str] | None:
        return (
            unreadable.read(self._client, COMPANY, company_id, partial(records.company, row)) if row else None
        )

    def erased_at(self, company_id: str) -> str | None:
        """When a company was erased here (ISO time); ``None`` if it was not, or has signed up again."""
        erased_at = self._client.get(keys.erased(company_id))
        return None if erased_at is None else text(erased_at)

    def timeline(self, connection_id: str, *, limit: int, cursor: str | None) -> ResultPage:
        """Entries of a connection's timeline as written, newest first."""
        newest = "+" if cursor is None else f"({cursors.stream_id(cursor)}"
        with self._client.pipeline(transaction=False) as pipe:
            pipe.xrevrange(keys.timeline(connection_id), max=newest, count=limit + 1)
            (rows,) = pipe.execute(raise_on_error=False)
        if unreadable.is_wrong_type(rows):
            unreadable.note(self._client, TIMELINE, connection_id, rows)
            return ResultPage([], None)
        entries = [
            entry
            for entry_id, fields in rows[:limit]
            if (
                entry := unreadable.read(
                    self._client, TIMELINE, connection_id, partial(records.timeline_entry, entry_id, fields)
                )
            )
        ]
        next_cursor = text(rows[limit - 1][0]) if len(rows) > limit else None
        return ResultPage(entries, next_cursor)

    # Messages

    def event(self, event_id: str) -> dict[str, Any] | None:
        """One message with its body (bytes); ``None`` if it is unknown or expired."""
        with self._client.pipeline(transaction=False) as pipe:
            pipe.hgetall(keys.event(event_id))
            (row,) = pipe.execute(raise_on_error=False)
        if not row:
            return None
        return unreadable.read(self._client, EVENT, event_id, partial(records.event, row))

    def list_events(
        self, *, status: str | None, limit: int, cursor: str | None, company_id: str | None = None
    ) -> ResultPage:
        """Messages of a company, else with a status, else all; without bodies, newest first."""
        if company_id is not None:
            index = keys.company_events(company_id)
        else:
            index = keys.events() if status is None else keys.events_of(status)
        page = self.member_page(index, limit=limit, cursor=cursor)
        with self._client.pipeline(transaction=False) as pipe:
            for event_id in page.items:
                pipe.hmget(keys.event(event_id), *EVENT_FIELDS)
            rows = pipe.execute(raise_on_error=False)
        events = [
            unreadable.read(self._client, EVENT, event_id, partial(records.listed_event, row))
            for event_id, row in zip(page.items, rows, strict=True)
        ]
        return ResultPage([event for event in events if event], page.next_cursor)

    # Notifications

    def notification(self, notification_id: str) -> dict[str, Any] | None:
        """One notification with its parsed public ``body`` and its ``deliveries``; ``None`` if unknown."""
        return next(iter(self._notifications([notification_id])), None)

    def list_notifications(
        self,
        *,
        connection_id: str | None = None,
        company_id: str | None = None,
        merchant_id: str | None = None,
        status: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int,
        cursor: str | None,
    ) -> ResultPage:
        """Notifications decided from ``since`` on and before ``until``, newest first.

        ``status`` (of a delivery) is ignored together with a connection, company or merchant.
        """
        index = keys.outbox() if status is None else keys.outbox_with(status)
        parts: list[str] | None = None
        if connection_id is not None:
            index = keys.outbox_of(connection_id)
        if company_id is not None or merchant_id is not None:
            index = f"{keys.outbox()} {connection_id} {company_id} {merchant_id}"
            members = self._connection_ids(company_id, merchant_id)
            parts = [keys.outbox_of(id_) for id_ in members if connection_id in (None, id_)]
        between = ("-inf" if since is None else to_us(since), "+inf" if until is None else to_us(until) - 1)
        page = cursors.page(self._client, index, limit=limit, cursor=cursor, parts=parts, between=between)
        return ResultPage(self._notifications(page.items), page.next_cursor)

    def _connection_ids(self, company_id: str | None, merchant_id: str | None) -> list[str]:
        """The connections of a company, of a merchant's companies, or of a company of the merchant."""
        companies = [company_id] if merchant_id is None else self.company_ids(merchant_id)
        return [
            connection_id
            for id_ in companies
            if id_ is not None and company_id in (None, id_)
            for connection_id in texts(self._client.zrange(keys.company_connections(id_), 0, -1))
        ]

    def _notifications(self, notification_ids: Sequence[str]) -> list[dict[str, Any]]:
        with self._client.pipeline(transaction=False) as pipe:
            for notification_id in notification_ids:
                pipe.hgetall(keys.notification(notification_id))
                pipe.hgetall(keys.deliveries(notification_id))
            rows = pipe.execute(raise_on_error=False)
        notifications = [
            unreadable.read(self._client, NOTIFICATION, id_, partial(records.notification, row, deliveries))
            for id_, row, deliveries in zip(notification_ids, rows[::2], rows[1::2], strict=True)
            if row
        ]
        return [notification for notification in notifications if notification is not None]

    # Operation

    def stats(self, states: Sequence[str]) -> dict[str, Any]:
        """Counts by state and status, depth and age of the inbox, and counters.

        ``age_s`` is the waiting time of the oldest message in seconds; 0 if the inbox is empty.
        """
        with self._client.pipeline(transaction=False) as pipe:
            for state in states:
                pipe.zcard(keys.connections_in(state))
            for status in EVENT_STATUSES:
                pipe.zcard(keys.events_of(status))
            for cell in keys.cells():
                pipe.xlen(keys.inbox(cell))
                pipe.xrange(keys.inbox(cell), count=1)
            pipe.time()
            pipe.zcard(keys.questions())
            pipe.hgetall(keys.counters())
            pipe.zcard(keys.companies())
            pipe.zcard(keys.outbox())
            pipe.zcard(keys.dead_deliveries())
            pipe.zcard(keys.outbox_with("uncertain"))
            rows = iter(pipe.execute())
        by_state = {state: next(rows) for state in states}
        by_status = {status: next(rows) for status in EVENT_STATUSES}
        depth, oldest_ms = 0, None
        for _ in keys.cells():
            depth += next(rows)
            for entry_id, _fields in next(rows):
                entered_ms = int(text(entry_id).split("-")[0])
                oldest_ms = entered_ms if oldest_ms is None else min(oldest_ms, entered_ms)
        seconds, micros = next(rows)
        age_s = 0.0 if oldest_ms is None else max(0.0, seconds + micros / 1e6 - oldest_ms / 1000)
        return {
            "connections": by_state,
            "events": by_status,
            "inbox": {"depth": depth, "age_s": round(age_s, 3)},
            "questions": next(rows),
            "counters": {name: int(value) for name, value in sorted(text_fields(next(rows)).items())},
            "companies": next(rows),
            "notifications": next(rows),
            "dead_deliveries": next(rows),
            "uncertain_deliveries": next(rows),
            "codat": codat_status.read(self._client, from_ms(seconds * 1000)),
        }

    def member_page(self, index: str, *, limit: int, cursor: str | None) -> ResultPage:
        """A page of members of a sorted set, highest score first."""
        return cursors.page(self._client, index, limit=limit, cursor=cursor)


def unreadable_records(client: "Redis[Any]", reader: Reader) -> list[UnreadableRecord]:
    """Noted records that still cannot be read, oldest note first.

    Each is read again; the note of a record that is readable or gone is removed.
    """
    readers: Mapping[str, Callable[[str], object]] = {
        CONNECTION: reader.connection,
        COMPANY: reader.company,
        EVENT: reader.event,
        NOTIFICATION: reader.notification,
        TIMELINE: lambda id_: reader.timeline(id_, limit=TIMELINE_ENTRIES, cursor=None),
    }
    noted = unreadable.noted(client)
    for record in noted:
        if record.kind in readers or record.since < utc_now() - NOTE_LIFETIME:
            unreadable.forget(client, record.kind, record.id)
        if record.kind in readers:
            readers[record.kind](record.id)  # notes it again
    remaining = {(record.kind, record.id) for record in unreadable.noted(client)}
    damaged = [record for record in noted if (record.kind, record.id) in remaining]
    unreadable.keep(client, damaged)
    return damaged
