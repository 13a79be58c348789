"""Reads records: one, or a page of a list.

An unreadable record is noted (see :mod:`processor.store.unreadable`) and skipped; lists of connections name
it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import chain, compress
from typing import Any

from redis import Redis

from handlers.state import State
from processor.clock import to_us
from processor.store import (
    cursors,
    each_cell,
    keys,
    message_queries,
    records,
    statistics,
    timelines,
    unreadable,
    visit_steps,
)
from processor.store.cursors import ALWAYS, Interval, ResultPage, between_ms, listed_page, merged_page
from processor.store.decoding import text, texts
from processor.store.records import COMPANY, NOTIFICATION, StoredConnection, UnreadableConnection
from processor.store.visit_steps import VisitStep

PAGE = 200
"""Connections of a company that are read at a time."""


class Reader:
    """Reads the store. Every method raises ``redis.RedisError`` if Redis does not answer."""

    def __init__(self, client: "Redis[Any]") -> None:
        self._client = client

    # Connections

    def connection(self, connection_id: str) -> StoredConnection | None:
        """One connection; ``None`` if it is unknown or its record cannot be read."""
        row = self.row(connection_id)
        return row if isinstance(row, StoredConnection) else None

    def connections(self, connection_ids: Sequence[str]) -> list[StoredConnection]:
        """The known and readable ones of the connections, in the same order."""
        return [row for row in self.rows(connection_ids) if isinstance(row, StoredConnection)]

    def connections_of(self, company_id: str) -> list[StoredConnection]:
        """The readable connections of a company, newest first."""
        rows = cursors.all_items(partial(self.list_connections, company_id=company_id, limit=PAGE))
        return [row for row in rows if isinstance(row, StoredConnection)]

    def row(self, connection_id: str) -> StoredConnection | UnreadableConnection | None:
        """One connection; ``None`` if it is unknown."""
        return next(iter(self.rows([connection_id])), None)

    def rows(self, connection_ids: Sequence[str]) -> list[StoredConnection | UnreadableConnection]:
        """The known ones of the connections, in the same order."""
        anywhere = dict.fromkeys(keys.cells(), connection_ids)
        rows = records.read_connections(self._client, anywhere, parse=records.checked_connection)
        return [rows[connection_id] for connection_id in connection_ids if connection_id in rows]

    def list_connections(
        self,
        *,
        state: str | None = None,
        company_id: str | None = None,
        merchant_id: str | None = None,
        company_ids: Sequence[str] | None = None,
        between: Interval = ALWAYS,
        limit: int,
        cursor: str | None,
    ) -> ResultPage:
        """Connections that match every given filter, newest first, first heard of in an interval.

        An unreadable one is an :class:`UnreadableConnection`, whose state is unknown.
        """
        ids = self._companies(company_id, merchant_id, company_ids)
        index, of_time = f"connections {state} {company_id} {merchant_id}", between_ms(between)
        if ids is None:
            states = tuple(State) if state is None else (state,)
            parts = {
                keys.connections_in(cell, of_state): cell for cell in keys.cells() for of_state in states
            }
            cells = list(parts.values())
            read = partial(
                merged_page, self._client, index, list(parts), between=of_time, together=len(states)
            )
        else:
            cells = [keys.cell_of(id_) for id_ in ids]
            rows = enumerate(records.read_members(self._client, ids))
            members = [(at_ms, id_, part) for part, row in rows for id_, at_ms in row.items()]
            read = partial(listed_page, index, members, between=of_time)

        def fetch(limit: int, cursor: str | None) -> ResultPage:
            page = read(limit=limit, cursor=cursor)
            places = each_cell.grouped((cells[part], id_) for id_, part in page.items)
            rows = records.read_connections(self._client, places, parse=records.checked_connection)
            ids = dict.fromkeys(id_ for id_, _ in page.items)  # one that changes its state may come twice
            return ResultPage([rows[id_] for id_ in ids if id_ in rows], page.next_cursor)

        def matches(row: StoredConnection | UnreadableConnection) -> bool:
            return state is None or getattr(row, "state", None) == state

        return cursors.filtered_page(fetch, matches, limit=limit, cursor=cursor)

    def _companies(
        self, company_id: str | None, merchant_id: str | None, company_ids: Sequence[str] | None
    ) -> list[str] | None:
        """The companies that match every given filter; ``None`` without any."""
        if merchant_id is not None:
            of_merchant = self.company_ids(merchant_id)
            company_ids = [id_ for id_ in of_merchant if company_ids is None or id_ in company_ids]
        if company_id is not None:
            return [company_id] if company_ids is None or company_id in company_ids else []
        return None if company_ids is None else list(company_ids)

    def company_ids(self, merchant_id: str) -> list[str]:
        """The ids of all companies of a merchant, including deleted ones, newest last."""
        of_cells = each_cell.replies(
            self._client,
            lambda pipe, cell: pipe.zrange(
                keys.merchant_companies(cell, merchant_id), 0, -1, withscores=True
            ),
        )
        return texts(member for _, member in sorted((at_ms, member) for member, at_ms in chain(*of_cells)))

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
        parts = [
            keys.companies(cell) if merchant_id is None else keys.merchant_companies(cell, merchant_id)
            for cell in keys.cells()
        ]
        page = merged_page(self._client, f"companies {merchant_id}", parts, limit=limit, cursor=cursor)
        return ResultPage(self.companies([company_id for company_id, _ in page.items]), page.next_cursor)

    def companies(self, company_ids: Sequence[str]) -> list[dict[str, str]]:
        """The fields of the known and readable ones of the companies, in the same order."""
        with self._client.pipeline(transaction=False) as pipe:
            for company_id in company_ids:
                pipe.hgetall(keys.company(company_id))
            rows = pipe.execute(raise_on_error=False)
        companies = (
            unreadable.read(self._client, COMPANY, id_, partial(records.company, row))
            for id_, row in zip(company_ids, rows, strict=True)
            if row
        )
        return [company for company in companies if company]

    def company(self, company_id: str) -> dict[str, str] | None:
        """The fields of a company; ``None`` if it is unknown or unreadable."""
        return next(iter(self.companies([company_id])), None)

    def erased_at(self, company_id: str) -> str | None:
        """When a company was erased here (ISO time); ``None`` if it was not, or has signed up again."""
        erased_at = self._client.get(keys.erased(company_id))
        return None if erased_at is None else text(erased_at)

    def timeline(self, connection_id: str, *, limit: int, cursor: str | None) -> ResultPage:
        """Entries of a connection's timeline, newest first."""
        return timelines.page(self._client, connection_id, limit=limit, cursor=cursor)

    def visit_steps(
        self, step: VisitStep, start: datetime, most: int | None = None
    ) -> tuple[dict[str, datetime], bool]:
        """When visitors first took a step since ``start``, of about ``most``; whether these are all."""
        return visit_steps.since(self._client, step, start, most)

    def visit_steps_of(self, step: VisitStep, company_ids: Mapping[str, str]) -> dict[str, datetime]:
        """When visitors first took a step for connections, which come with their companies."""
        return visit_steps.of_connections(self._client, step, company_ids)

    def companies_with_connections(self, company_ids: Sequence[str]) -> list[str]:
        """Those of the companies that have or had a connection."""
        members = records.read_members(self._client, company_ids)
        return list(compress(company_ids, members))

    def event(self, event_id: str) -> dict[str, Any] | None:
        """One message with its body (bytes); ``None`` if it is unknown or expired."""
        return message_queries.message(self._client, event_id)

    def list_events(
        self,
        *,
        status: str | None,
        limit: int,
        cursor: str | None,
        company_id: str | None = None,
        merchant_id: str | None = None,
        company_ids: Sequence[str] | None = None,
        between: Interval = ALWAYS,
    ) -> ResultPage:
        """Messages of companies, else those that may have a status, else all; newest first.

        The interval is that of the arrival; it is ignored for pending ones.
        """
        ids = self._companies(company_id, merchant_id, company_ids)
        index = f"events {status} {company_id} {merchant_id}"
        return message_queries.page(
            self._client, index, status=status, company_ids=ids, limit=limit, cursor=cursor, between=between
        )

    # Notifications

    def notification(self, notification_id: str, *, cell: int | None = None) -> dict[str, Any] | None:
        """One notification with its parsed public ``body``, its ``deliveries`` and its ``cell``.

        ``None`` if it is unknown. It is looked for in ``cell``, or in all.
        """
        cells = keys.cells() if cell is None else (cell,)
        return next(iter(self._notifications([(cell, notification_id) for cell in cells])), None)

    def list_notifications(
        self,
        *,
        connection_id: str | None = None,
        company_id: str | None = None,
        merchant_id: str | None = None,
        company_ids: Sequence[str] | None = None,
        status: str | None = None,
        between: Interval = ALWAYS,
        limit: int,
        cursor: str | None,
    ) -> ResultPage:
        """Notifications decided in an interval, newest first.

        ``status`` (of a delivery) is ignored together with a connection, company or merchant.
        """
        index = f"notifications {status} {connection_id} {company_id} {merchant_id}"
        ids = self._companies(company_id, merchant_id, company_ids)
        if ids is not None:
            places = self._told_about(ids)
            parts = [
                (cell, keys.outbox_of(cell, id_)) for cell, id_ in places if connection_id in (None, id_)
            ]
        elif connection_id is not None:
            parts = [(cell, keys.outbox_of(cell, connection_id)) for cell in keys.cells()]
        else:
            parts = [
                (cell, keys.outbox(cell) if status is None else keys.outbox_with(cell, status))
                for cell in keys.cells()
            ]
        since, until = between
        scores = ("-inf" if since is None else to_us(since), "+inf" if until is None else to_us(until) - 1)
        names = [name for _, name in parts]
        page = merged_page(self._client, index, names, limit=limit, cursor=cursor, between=scores)
        notifications = self._notifications([(parts[part][0], id_) for id_, part in page.items])
        return ResultPage(notifications, page.next_cursor)

    def _told_about(self, company_ids: Sequence[str]) -> list[tuple[int, str]]:
        """The companies and their connections, with their cells."""
        return [
            (keys.cell_of(id_), connection_id)
            for id_, members in zip(company_ids, records.read_members(self._client, company_ids), strict=True)
            for connection_id in (id_, *members)
        ]

    def _notifications(self, places: Sequence[tuple[int, str]]) -> list[dict[str, Any]]:
        """Those of the notifications that are in these cells."""
        with self._client.pipeline(transaction=False) as pipe:
            for place in places:
                pipe.get(keys.notification(*place))
                pipe.hgetall(keys.deliveries(*place))
            rows = pipe.execute(raise_on_error=False)
        notifications = []
        for (cell, id_), row, deliveries in zip(places, rows[::2], rows[1::2], strict=True):
            parse = partial(records.notification, id_, row, deliveries)
            if row and (fields := unreadable.read(self._client, NOTIFICATION, id_, parse)) is not None:
                notifications.append({**fields, "cell": cell})
        return notifications

    def stats(self, states: Sequence[str]) -> dict[str, Any]:
        """Counts by state and status, and counters (see :func:`statistics.read`)."""
        return statistics.read(self._client, states)

    def member_page(self, index: str, *, limit: int, cursor: str | None) -> ResultPage:
        """A page of members of a sorted set, highest score first."""
        page = merged_page(self._client, index, [index], limit=limit, cursor=cursor)
        return ResultPage([member for member, _ in page.items], page.next_cursor)
