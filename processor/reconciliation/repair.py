"""Repairs a connection whose record is damaged: from the stored messages, else from Codat."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis, WatchError
from redis.client import Pipeline

from handlers.connection import Connection
from handlers.events import Trigger
from handlers.registry import Policy
from handlers.state import situation
from processor.alerts.replay import ReplayService
from processor.clock import to_ms
from processor.errors import Conflict, NotFound, ProcessorError
from processor.reconciliation.compare import CompanyComparer
from processor.reconciliation.enqueue import Enqueuer
from processor.reconciliation.kept_messages import KeptMessages
from processor.store import each_cell, keys, records, unreadable
from processor.store.decoding import text
from processor.store.queries import Reader
from processor.store.records import CONNECTION, MEMBER, StoredConnection
from processor.store.round_trip import chunks

REPAIR = Trigger("the record was damaged, and is made again", quiet=True)
NOT_IN_MESSAGES = "Messages that are kept do not name this connection"
CHANGED_MEANWHILE = "The record was written by somebody else meanwhile; look at it again."


@dataclass(frozen=True, slots=True)
class RepairResult:
    """How a connection was repaired.

    ``source`` is ``messages`` or ``codat``, ``count`` the number of messages or of events from Codat.
    ``replayed`` counts the messages that had failed because of the damage and were replayed.
    """

    connection_id: str
    source: str
    count: int
    replayed: int


class ConnectionRepair:
    """Rebuilds the record of a connection without notifications, then replays the messages that failed.

    The replayed messages notify as usual. ``comparer`` and ``enqueuer`` are ``None`` without an API key:
    then the stored messages are the only source.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        reader: Reader,
        replays: ReplayService,
        policy: Policy,
        comparer: CompanyComparer | None,
        enqueuer: Enqueuer | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._client, self._reader, self._replays = client, reader, replays
        self._kept = KeptMessages(reader)
        self._policy, self._comparer, self._enqueuer, self._clock = policy, comparer, enqueuer, clock

    def run(self, connection_id: str) -> RepairResult:
        """Repair one connection.

        Raises :class:`NotFound` for an unknown id, :class:`Conflict` if the record is not damaged, and
        :class:`ProcessorError` if neither the stored messages nor Codat know the connection.
        """
        row = self._reader.row(connection_id)
        listed = self._listed(connection_id)
        cell = next(iter(listed), None)
        if cell is None:  # not listed, but there may be a record
            cell = each_cell.cell_with(self._client, lambda cell: keys.connection(cell, connection_id))
        if cell is None:
            raise NotFound("There is no connection with this id.")
        if isinstance(row, StoredConnection):
            raise Conflict("The record of this connection can be read: there is nothing to repair.")
        company_id = self._find_company_id(cell, connection_id)
        messages = self._kept.rows(connection_id, company_id)
        connection, count = self._kept.rebuilt(
            connection_id,
            company_id,
            [message["event_id"] for message in messages if message["status"] == "processed"],
            policy=self._policy,
            trigger=REPAIR,
            now_of=lambda event: event.received_at,
        )
        if connection is not None:
            self._write(cell, connection, listed.get(cell))
            source = "messages"
        else:
            count = self._from_codat(cell, connection_id, company_id)
            source = "codat"
        unreadable.forget(self._client, CONNECTION, connection_id)
        failed_ids = (message["event_id"] for message in messages if message["status"] in ("failed", "dead"))
        replayed = sum(result.problem is None for result in self._replays.replay_each(failed_ids))
        return RepairResult(connection_id, source, count, replayed)

    def _listed(self, connection_id: str) -> dict[int, int]:
        """The cell that lists the connection, and when it was first heard of (ms); empty if none does."""
        indexes = [(cell, index) for cell in keys.cells() for index in keys.connections(cell)]
        with self._client.pipeline(transaction=False) as pipe:
            for _, index in indexes:
                pipe.zscore(index, connection_id)
            scores = pipe.execute()
        scored = zip(indexes, scores, strict=True)
        return {cell: int(score) for (cell, _), score in scored if score is not None}

    def _find_company_id(self, cell: int, connection_id: str) -> str | None:
        """The company that lists the connection as its own; ``None`` if no company does."""
        members = self._client.zscan_iter(keys.companies(cell), count=1_000)
        for chunk in chunks(text(member) for member, _ in members):
            with self._client.pipeline(transaction=False) as pipe:
                for company_id in chunk:
                    pipe.hexists(keys.company(company_id), MEMBER + connection_id)
                replies = pipe.execute(raise_on_error=False)
            for company_id, reply in zip(chunk, replies, strict=True):
                if not unreadable.is_wrong_type(reply) and reply:
                    return company_id
        return None

    def _write(self, cell: int, connection: Connection, heard_ms: int | None) -> None:
        """Store the connection, first heard of then, or now.

        Raises :class:`Conflict` if its record was written meanwhile.
        """
        state = situation(connection).state.value
        record_key = keys.connection(cell, connection.id)
        heard_ms = heard_ms or to_ms(self._clock())
        with self._client.pipeline(transaction=True) as pipe:
            pipe.watch(record_key)
            if self._reader.connection(connection.id) is not None:
                raise Conflict(CHANGED_MEANWHILE)
            pipe.multi()
            pipe.set(record_key, records.connection_row(connection, state, heard_ms))
            for index in keys.connections(cell):
                pipe.zrem(index, connection.id)
            pipe.zadd(keys.connections_in(cell, state), {connection.id: heard_ms})
            if connection.company_id is not None:
                pipe.hsetnx(keys.company(connection.company_id), MEMBER + connection.id, str(heard_ms))
            try:
                pipe.execute()
            except WatchError as error:
                raise Conflict(CHANGED_MEANWHILE) from error

    def _from_codat(self, cell: int, connection_id: str, company_id: str | None) -> int:
        """Enqueue Codat's answer, from which the worker rebuilds the connection; the number of events."""
        if company_id is None:
            raise ProcessorError(f"{NOT_IN_MESSAGES}, and its company is not known: Codat cannot be asked.")
        if self._comparer is None or self._enqueuer is None:
            raise ProcessorError(f"{NOT_IN_MESSAGES}, and CODAT_API_KEY is not set: Codat cannot be asked.")
        record_key = keys.connection(cell, connection_id)
        damaged_record = self._client.getdel(record_key)
        try:
            diff = self._comparer.compare(company_id, REPAIR)
            if connection_id not in diff.connections:
                raise ProcessorError(f"{NOT_IN_MESSAGES}, and Codat does not show it.")
        except ProcessorError:
            if damaged_record is not None:
                self._client.set(record_key, damaged_record, nx=True)
            raise

        def unlist(pipe: "Pipeline[Any]") -> None:
            for index in keys.connections(cell):
                pipe.zrem(index, connection_id)

        self._enqueuer.enqueue(diff, unlist)
        return len(diff.events)
