"""Repairing a connection whose record cannot be read: from the kept messages, else from Codat."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from redis import Redis, WatchError

from handlers.connection import Connection
from handlers.events import Event, OtherHappened, QuestionUnanswered
from handlers.machine import advance
from handlers.registry import Context, Policy
from handlers.state import situation
from handlers.trigger import Trigger
from processor.alerts.replay import ReplayService, understand
from processor.clock import from_iso, to_ms, utc_now
from processor.errors import Conflict, NotFound, ProcessorError
from processor.reconciliation.compare import CompanyComparer
from processor.reconciliation.enqueue import Enqueuer
from processor.resources.queries import STATES
from processor.store import keys, records, unreadable
from processor.store.queries import Reader
from processor.store.records import CONNECTION, StoredConnection

REPAIR = Trigger("the record was damaged, and is made again", quiet=True)
AT_ONCE = 200
BEFORE_CODAT = "Messages that are kept do not name this connection"


@dataclass(frozen=True, slots=True)
class RepairResult:
    """What a connection was made again from: ``messages`` or ``codat``, and how many messages or findings.

    ``replayed`` counts the messages that waited for the repair and are handled now.
    """

    connection_id: str
    source: str
    count: int
    replayed: int


class ConnectionRepair:
    """Makes the record of a connection again; nobody is told what it says.

    ``looker`` and ``putter`` are ``None`` without an API key: then kept messages are all there is.
    Messages that could not be handled because of the damage are handled afterwards, and tell.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        reader: Reader,
        replays: ReplayService,
        policy: Policy,
        looker: CompanyComparer | None,
        putter: Enqueuer | None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._client, self._reader, self._replays = client, reader, replays
        self._policy, self._looker, self._putter, self._clock = policy, looker, putter, clock

    def run(self, connection_id: str) -> RepairResult:
        """Repair one connection.

        Raises :class:`NotFound` for one that is unknown, :class:`Conflict` where its record can be read, and
        :class:`ProcessorError` where neither kept messages nor Codat know it.
        """
        row = next(iter(self._reader.rows([connection_id])), None)
        if row is None and self._client.zscore(keys.connections(), connection_id) is None:
            raise NotFound("There is no connection with this id.")
        if isinstance(row, StoredConnection):
            raise Conflict("The record of this connection can be read: there is nothing to repair.")
        company_id = self._company_of(connection_id)
        rows = [row for row in self._events(company_id) if _concerns(row, connection_id)]
        made, count = self._from_messages(connection_id, company_id, rows)
        if made is not None:
            self._write(made)
            source = "messages"
        else:
            count = self._from_codat(connection_id, company_id)
            source = "codat"
        unreadable.forget(self._client, CONNECTION, connection_id)
        waiting = (row["event_id"] for row in rows if row["status"] in ("failed", "dead"))
        replayed = sum(one.problem is None for one in self._replays.replay_each(waiting))
        return RepairResult(connection_id, source, count, replayed)

    def _company_of(self, connection_id: str) -> str | None:
        """The company among whose connections it is; ``None`` where none has it."""
        names = [name.decode() for name, _ in self._client.zscan_iter(keys.companies(), count=1_000)]
        for start in range(0, len(names), AT_ONCE):
            chunk = names[start : start + AT_ONCE]
            with self._client.pipeline(transaction=False) as pipe:
                for company_id in chunk:
                    pipe.zscore(keys.company_connections(company_id), connection_id)
                scores = pipe.execute()
            for company_id, score in zip(chunk, scores, strict=True):
                if score is not None:
                    return str(company_id)
        return None

    def _events(self, company_id: str | None) -> Iterator[dict[str, Any]]:
        """The kept messages of the company, or all of them where it is not known."""
        cursor: str | None = None
        while True:
            page = self._reader.list_events(status=None, company_id=company_id, limit=AT_ONCE, cursor=cursor)
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def _from_messages(
        self, connection_id: str, company_id: str | None, rows: list[dict[str, Any]]
    ) -> tuple[Connection | None, int]:
        """The connection as the messages that were handled tell of it; ``None`` where none introduces it."""
        handled = [row["event_id"] for row in rows if row["status"] == "processed"]
        events = sorted(
            filter(None, map(self._event, handled)), key=lambda event: (event.received_at, event.at)
        )
        merchant_id = (self._reader.company(company_id) or {}).get("merchant_id") if company_id else None
        connection, count = Connection(connection_id, company_id=company_id, merchant_id=merchant_id), 0
        context = Context(self._clock(), self._policy, company_known=True)
        for event in events:
            named = connection_id in event.connection_ids
            if not (named or event.concerns_whole_company):
                continue
            if count == 0 and (not named or isinstance(event, (OtherHappened, QuestionUnanswered))):
                continue
            connection = advance(connection, replace(event, asked=REPAIR), context).connection
            count += 1
        return (connection, count) if count else (None, 0)

    def _event(self, event_id: str) -> Event | None:
        row = self._reader.event(event_id)
        if row is None:
            return None
        try:
            return understand(
                row["body"],
                source=row.get("source", ""),
                event_id=event_id,
                received_at=from_iso(row["received_at"]),
            )
        except ValueError:
            return None

    def _write(self, made: Connection) -> None:
        state = situation(made).state.value
        name = keys.connection(made.id)
        heard_ms = int(self._client.zscore(keys.connections(), made.id) or to_ms(self._clock()))
        with self._client.pipeline(transaction=True) as pipe:
            pipe.watch(name)
            if self._reader.connection(made.id) is not None:
                raise Conflict("The record was written by somebody else meanwhile; look at it again.")
            pipe.multi()
            pipe.set(name, records.connection_row(made, state, heard_ms))
            for other in STATES:
                pipe.zrem(keys.connections_in(other), made.id)
            pipe.zadd(keys.connections_in(state), {made.id: heard_ms})
            pipe.zadd(keys.connections(), {made.id: heard_ms}, nx=True)
            if made.company_id is not None:
                pipe.zadd(keys.company_connections(made.company_id), {made.id: heard_ms}, nx=True)
            try:
                pipe.execute()
            except WatchError as error:
                raise Conflict(
                    "The record was written by somebody else meanwhile; look at it again."
                ) from error

    def _from_codat(self, connection_id: str, company_id: str | None) -> int:
        """Have Codat's answer make the connection again; how many findings were put into the inbox."""
        if company_id is None:
            raise ProcessorError(f"{BEFORE_CODAT}, and its company is not known: Codat cannot be asked.")
        if self._looker is None or self._putter is None:
            raise ProcessorError(f"{BEFORE_CODAT}, and CODAT_API_KEY is not set: Codat cannot be asked.")
        name = keys.connection(connection_id)
        damaged = self._client.getdel(name)
        try:
            look = self._looker.look(company_id, REPAIR)
            if connection_id not in look.connections:
                raise ProcessorError(f"{BEFORE_CODAT}, and Codat does not show it.")
        except ProcessorError:
            if damaged is not None:
                self._client.set(name, damaged, nx=True)
            raise
        with self._client.pipeline(transaction=True) as pipe:
            for state in STATES:
                pipe.zrem(keys.connections_in(state), connection_id)
            self._putter.add(pipe, look)
            pipe.execute()
        self._putter.wake(look)
        return len(look.events)


def _concerns(row: dict[str, Any], connection_id: str) -> bool:
    """Whether a message may tell of the connection: it names it, or none at all."""
    named = json.loads(row.get("connection_ids") or "[]")
    return not named or connection_id in named
