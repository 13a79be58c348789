"""Reading what is kept: one object, or a page of a list.

A record that cannot be read is noted (see :mod:`processor.store.unreadable`) and passed over; of
connections the lists name it.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from redis import Redis

from processor.clock import from_ms, to_us
from processor.store import codat_status, cursors, keys, records, unreadable
from processor.store.cursors import ResultPage
from processor.store.decoding import text, text_fields, texts
from processor.store.records import (
    COMPANY,
    EVENT,
    EVENT_FIELDS,
    EVENT_STATUSES,
    NOTIFICATION,
    TIMELINE,
    StoredConnection,
    UnreadableConnection,
)


class Reader:
    """Reads the store. Raises ``redis.RedisError`` when Redis does not answer."""

    def __init__(self, client: "Redis[Any]", *, shards: int) -> None:
        self._client = client
        self._shards = shards

    # Connections

    def connection(self, connection_id: str) -> StoredConnection | None:
        """One connection; ``None`` when we never heard of it, or its record cannot be read."""
        return next(iter(self.connections([connection_id])), None)

    def connections(self, connection_ids: Sequence[str]) -> list[StoredConnection]:
        """Those of the connections that are known and can be read, in the order given."""
        return [one for one in self.rows(connection_ids) if isinstance(one, StoredConnection)]

    def rows(self, connection_ids: Sequence[str]) -> list[StoredConnection | UnreadableConnection]:
        """Those of the connections that are known, in the order given."""
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
        """Connections, newest first; every filter that is given must fit.

        One that cannot be read is an :class:`UnreadableConnection`; its state is not known.
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
            parts = [keys.company_connections(one) for one in companies if company_id in (None, one)]
        found: list[StoredConnection | UnreadableConnection] = []
        while True:
            page = cursors.page(self._client, index, limit=limit - len(found), cursor=cursor, parts=parts)
            rows = self.rows(page.items)
            found += [row for row in rows if state is None or getattr(row, "state", None) == state]
            cursor = page.next_cursor
            if len(found) >= limit or cursor is None:
                return ResultPage(found, cursor)

    def company_ids(self, merchant_id: str) -> list[str]:
        """The ids of all companies that have a merchant id, deleted ones too, newest last."""
        return texts(self._client.zrange(keys.merchant_companies(merchant_id), 0, -1))

    def current_company_id(self, merchant_id: str) -> str | None:
        """The oldest company of a merchant that is not deleted, else the newest; ``None`` without one."""
        companies = self.company_ids(merchant_id)
        with self._client.pipeline(transaction=False) as pipe:
            for company_id in companies:
                pipe.hexists(keys.company(company_id), "deleted_at")
            deleted = pipe.execute()
        there = [one for one, is_deleted in zip(companies, deleted, strict=True) if not is_deleted]
        return next(iter([*there, *companies[::-1]]), None)

    def list_companies(self, *, merchant_id: str | None = None, limit: int, cursor: str | None) -> ResultPage:
        """Companies, newest first, of a merchant or all, each as the fields known of it."""
        index = keys.companies() if merchant_id is None else keys.merchant_companies(merchant_id)
        page = self._page(index, limit, cursor)
        with self._client.pipeline(transaction=False) as pipe:
            for company_id in page.items:
                pipe.hgetall(keys.company(company_id))
            rows = pipe.execute(raise_on_error=False)
        companies = (self._company(company_id, row) for company_id, row in zip(page.items, rows, strict=True))
        return ResultPage([row for row in companies if row], page.next_cursor)

    def company(self, company_id: str) -> dict[str, str] | None:
        """The fields known of a company; ``None`` when we never heard of it, or they cannot be read."""
        with self._client.pipeline(transaction=False) as pipe:
            pipe.hgetall(keys.company(company_id))
            (row,) = pipe.execute(raise_on_error=False)
        return self._company(company_id, row)

    def _company(self, company_id: str, row: Any) -> dict[str, str] | None:
        return (
            unreadable.read(self._client, COMPANY, company_id, partial(records.company, row)) if row else None
        )

    def erased_at(self, company_id: str) -> str | None:
        """When a company was erased here (ISO time); ``None`` when it was not, or signed up again since."""
        found = self._client.get(keys.erased(company_id))
        return None if found is None else text(found)

    def timeline(self, connection_id: str, *, limit: int, cursor: str | None) -> ResultPage:
        """Entries of a connection's timeline, newest first, as they were written."""
        newest = "+" if cursor is None else f"({cursors.stream_id(cursor)}"
        with self._client.pipeline(transaction=False) as pipe:
            pipe.xrevrange(keys.timeline(connection_id), max=newest, count=limit + 1)
            (rows,) = pipe.execute(raise_on_error=False)
        if unreadable.is_wrong_type(rows):
            unreadable.note(self._client, TIMELINE, connection_id, rows)
            return ResultPage([], None)
        entries = [
            entry
            for place, fields in rows[:limit]
            if (
                entry := unreadable.read(
                    self._client, TIMELINE, connection_id, partial(records.timeline_entry, place, fields)
                )
            )
        ]
        more = text(rows[limit - 1][0]) if len(rows) > limit else None
        return ResultPage(entries, more)

    # Messages

    def event(self, event_id: str) -> dict[str, Any] | None:
        """One message with its body (bytes); ``None`` when we never kept it or it expired."""
        with self._client.pipeline(transaction=False) as pipe:
            pipe.hgetall(keys.event(event_id))
            (row,) = pipe.execute(raise_on_error=False)
        if not row:
            return None
        return unreadable.read(self._client, EVENT, event_id, partial(records.event, row))

    def list_events(
        self, *, status: str | None, limit: int, cursor: str | None, company_id: str | None = None
    ) -> ResultPage:
        """Messages without their bodies, newest first, of one company, else with one status, else all."""
        if company_id is not None:
            index = keys.company_events(company_id)
        else:
            index = keys.events() if status is None else keys.events_of(status)
        page = self._page(index, limit, cursor)
        with self._client.pipeline(transaction=False) as pipe:
            for event_id in page.items:
                pipe.hmget(keys.event(event_id), *EVENT_FIELDS)
            rows = pipe.execute(raise_on_error=False)
        found = []
        for event_id, row in zip(page.items, rows, strict=True):
            named = unreadable.read(self._client, EVENT, event_id, partial(records.listed_event, row))
            if named:
                found.append(named)
        return ResultPage(found, page.next_cursor)

    # Notifications

    def notification(self, notification_id: str) -> dict[str, Any] | None:
        """One notification; ``None`` when there is none.

        Its public body is under ``body``, parsed; what is known of its deliveries under ``deliveries``.
        """
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

        Of one connection, a company or a merchant, and only without these with a delivery of one status.
        """
        index = keys.outbox() if status is None else keys.outbox_with(status)
        parts: list[str] | None = None
        if connection_id is not None:
            index = keys.outbox_of(connection_id)
        if company_id is not None or merchant_id is not None:
            index = f"{keys.outbox()} {connection_id} {company_id} {merchant_id}"
            members = self._connection_ids(company_id, merchant_id)
            parts = [keys.outbox_of(one) for one in members if connection_id in (None, one)]
        between = ("-inf" if since is None else to_us(since), "+inf" if until is None else to_us(until) - 1)
        page = cursors.page(self._client, index, limit=limit, cursor=cursor, parts=parts, between=between)
        return ResultPage(self._notifications(page.items), page.next_cursor)

    def _connection_ids(self, company_id: str | None, merchant_id: str | None) -> list[str]:
        """The connections of a company, of a merchant's companies, or of the one if it is the other's."""
        companies = [company_id] if merchant_id is None else self.company_ids(merchant_id)
        wanted = [one for one in companies if one is not None and company_id in (None, one)]
        return [
            text(member)
            for one in wanted
            for member in self._client.zrange(keys.company_connections(one), 0, -1)
        ]

    def _notifications(self, notification_ids: Sequence[str]) -> list[dict[str, Any]]:
        with self._client.pipeline(transaction=False) as pipe:
            for notification_id in notification_ids:
                pipe.hgetall(keys.notification(notification_id))
                pipe.hgetall(keys.deliveries(notification_id))
            rows = pipe.execute(raise_on_error=False)
        found = []
        for id_, row, deliveries in zip(notification_ids, rows[::2], rows[1::2], strict=True):
            if row:
                read = partial(records.notification, row, deliveries)
                found.append(unreadable.read(self._client, NOTIFICATION, id_, read))
        return [one for one in found if one is not None]

    # Operation

    def stats(self, states: Sequence[str]) -> dict[str, Any]:
        """Counts by state, depth and age of the inbox, and what happened how often.

        ``age_s`` is how long the oldest waiting message has waited, in seconds; 0 for an
        empty inbox.
        """
        shards = keys.shards_in_use(self._client.get(keys.shards_ever()), self._shards)
        with self._client.pipeline(transaction=False) as pipe:
            for state in states:
                pipe.zcard(keys.connections_in(state))
            for status in EVENT_STATUSES:
                pipe.zcard(keys.events_of(status))
            for shard in range(shards):
                pipe.xlen(keys.inbox(shard))
                pipe.xrange(keys.inbox(shard), count=1)
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
        for _ in range(shards):
            depth += next(rows)
            for place, _fields in next(rows):
                entered_ms = int(text(place).split("-")[0])
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
        """A page of a sorted set's members, highest score first."""
        return self._page(index, limit, cursor)

    def _page(self, index: str, limit: int, cursor: str | None) -> ResultPage:
        return cursors.page(self._client, index, limit=limit, cursor=cursor)
