"""Batches of cells: their inboxes are read, and their changes are committed, for several cells at once."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import compress, islice
from typing import Any, NamedTuple

from redis import Redis, ResponseError, WatchError
from redis.client import Pipeline
from redis.exceptions import NoScriptError

from processor.store import (
    commits,
    keys,
    message_records,
    outbox,
    poll_schedule,
    questions,
    reminder_schedule,
)
from processor.store.cluster import ClusterClient
from processor.store.decoding import text, text_fields
from processor.store.records import (
    COMPANY_FIELDS,
    StoredConnection,
    UnreadableConnection,
    company_fields,
    members,
    parse_connections,
    read_connections,
    read_members,
)
from processor.store.round_trip import RoundTrip
from processor.store.scripts import register
from processor.store.timelines import MOST_ENTRIES
from processor.store.unit_of_work import Batch, WaitingMessage
from processor.store.writes import Staging, Writes


class CommitConflict(Exception):
    """Somebody else has committed to a cell, or changed what was read; nothing was written. Retry."""


class WaitingBatch(NamedTuple):
    """The oldest messages of a cell, and stream entries of messages that no longer wait.

    Such a message is gone (erased or expired), or was handled by its entry in the other lane.
    """

    waiting: list[WaitingMessage]
    gone: list[bytes]


class AffectedIds(NamedTuple):
    """What a batch of a cell affects: connections, companies, and companies with all their connections."""

    connections: Sequence[str]
    companies: Sequence[str]
    whole_companies: Sequence[str]


class LoadedRecords(NamedTuple):
    """Stored records that a batch needs, by connection id or company id.

    An erased company has the single field ``erased_at``. ``members`` are the connection ids of companies.
    ``shown`` are companies that Codat has shown to this API key, ``foreign`` those of other Codat clients.
    ``homes`` are the cells of connections that are stored in another cell.
    """

    connections: dict[str, StoredConnection | UnreadableConnection]
    companies: dict[str, dict[str, str]]
    members: dict[str, list[str]]
    shown: set[str]
    foreign: set[str]
    homes: dict[str, int]


class Cells:
    """Reads and commits batches of cells, guarded by their cursors."""

    def __init__(self, client: "Redis[Any]", *, replays: bool = False) -> None:
        """``replays``: of that lane of the inbox."""
        self._client = client
        self._inbox = keys.replays if replays else keys.inbox
        self._read: Any = register(client, "read")
        self._fields: Any = register(client, "fields")
        self._commit: Any = register(client, "commit")

    def groups(self, numbers: Sequence[int], *, singly: bool = False) -> list[Sequence[int]]:
        """The cells that are committed together: all of one server, unless ``singly``; in a cluster one."""
        if singly or isinstance(self._client, ClusterClient):
            return [[number] for number in numbers]
        return [numbers] if numbers else []

    def begin(self, numbers: Sequence[int]) -> "Pipeline[Any]":
        """Open a commit: watch the cursors before the first read."""
        pipe = self._client.pipeline(transaction=True)
        pipe.watch(*map(keys.cursor, numbers))
        return pipe

    def read(self, numbers: Sequence[int], limit: int) -> dict[int, WaitingBatch]:
        """Up to ``limit`` messages of each cell; no cell at all if one of several has as many."""
        trip = RoundTrip(self._client, self._read, self._fields, self._commit)
        for number in numbers:
            trip.call(self._read, [self._inbox(number), keys.messages(number)], [limit])
        replies = trip.results()
        if len(numbers) > 1 and any(len(entries) >= limit for entries, _ in replies):
            return {}
        return {number: _waiting(*reply) for number, reply in zip(numbers, replies, strict=True)}

    def load(self, pipe: "Pipeline[Any]", affected: Mapping[int, AffectedIds]) -> dict[int, LoadedRecords]:
        """Load what is affected in each cell.

        ``pipe`` watches connections and companies from here on: a sign-up changes a company and its
        connections.
        """
        trip = RoundTrip(self._client, self._fields)
        names = [name for cell, ids in affected.items() for name in self._add_reads(trip, cell, ids)]
        if names:
            pipe.watch(*names)
        answers = iter(trip.results())
        loaded = {cell: self._parsed(ids, answers) for cell, ids in affected.items()}
        self._watch_members(pipe, loaded)
        self._find_homes(affected, loaded)
        return loaded

    def load_members(
        self, pipe: "Pipeline[Any]", wanted: Mapping[int, tuple[LoadedRecords, Sequence[str]]]
    ) -> None:
        """Load all connections of more companies into the records of their cells."""
        every_id = [company_id for _, company_ids in wanted.values() for company_id in company_ids]
        answers = iter(read_members(self._client, every_id))
        for records, company_ids in wanted.values():
            records.members.update((company_id, list(next(answers))) for company_id in company_ids)
        self._watch_members(pipe, {cell: records for cell, (records, _) in wanted.items()})

    def commit(
        self, pipe: "Pipeline[Any]", batches: Mapping[int, Batch], now: datetime
    ) -> dict[int, ResponseError]:
        """Write all of ``batches``; raises ``CommitConflict`` and then writes nothing.

        Returns by cell the first error with which Redis refused a write. News of the whole client is in no
        cell: it is written first, and again where the commit is repeated.
        """
        for batch in batches.values():
            for polling in batch.polling:
                questions.write_polling(self._client, polling, now)
        pipe.multi()
        for number, batch in batches.items():
            pipe.execute_command(*self._command(number, batch, now))  # type: ignore[no-untyped-call]
        try:
            replies = pipe.execute(raise_on_error=False)
        except WatchError as error:
            raise CommitConflict from error
        if any(isinstance(reply, NoScriptError) for reply in replies):  # Redis has forgotten all scripts
            self._client.script_load(self._commit.script)  # type: ignore[no-untyped-call]
            raise CommitConflict
        return {
            number: reply
            for number, reply in zip(batches, replies, strict=True)
            if isinstance(reply, ResponseError)
        }

    def _command(self, number: int, batch: Batch, now: datetime) -> Sequence[Any]:
        """The command of a commit: the script with all writes."""
        writes = Writes()
        handled = [*batch.done, *(row[0] for row in batch.failed), *(row[0] for row in batch.dropped)]
        entry_ids = [*batch.gone, *(entry_id for message in handled for entry_id in message.entry_ids)]
        _stage_writes(writes, number, batch, now)
        if entry_ids:
            writes.execute_command("XDEL", self._inbox(number), *entry_ids)
        names = [keys.cursor(number), *writes.keys]
        return "EVALSHA", self._commit.sha, len(names), *names, MOST_ENTRIES, writes.packed()

    def _add_reads(self, trip: RoundTrip, cell: int, ids: AffectedIds) -> list[str]:
        """Add the reads of what is affected in one cell; returns the keys to watch before."""
        companies = list(map(keys.company, ids.companies))
        connections = [keys.connection(cell, connection_id) for connection_id in ids.connections]
        if companies:
            trip.call(self._fields, companies, COMPANY_FIELDS)
            trip.add("MGET", *map(keys.erased, ids.companies))
            marks = list(map(keys.shown_as, ids.companies))
            trip.add("SMISMEMBER", keys.shown(cell), *marks)
            trip.add("SMISMEMBER", keys.foreign(cell), *marks)
        for company_id in ids.whole_companies:
            trip.add("HGETALL", keys.company(company_id))
        if connections:
            trip.add("MGET", *connections)
        return companies + connections

    def _parsed(self, ids: AffectedIds, answers: Iterator[Any]) -> LoadedRecords:
        """The answers to what ``_add_reads`` has added for one cell."""
        hashes, erasures, shown, foreign = islice(answers, 4) if ids.companies else ([], [], [], [])
        companies: dict[str, dict[str, str]] = {}
        for company_id, values, erased_at in zip(ids.companies, hashes, erasures, strict=True):
            if erased_at is not None:
                companies[company_id] = {"erased_at": text(erased_at)}
            elif any(values):
                companies[company_id] = company_fields(values)
        whole = {company_id: list(members(text_fields(next(answers)))) for company_id in ids.whole_companies}
        rows = next(answers) if ids.connections else []
        connections = parse_connections(self._client, ids.connections, rows)
        shown_ids, foreign_ids = (set(compress(ids.companies, flags)) for flags in (shown, foreign))
        return LoadedRecords(connections, companies, whole, shown_ids, foreign_ids, homes={})

    def _watch_members(self, pipe: "Pipeline[Any]", loaded: Mapping[int, LoadedRecords]) -> None:
        """Load and watch the connections of companies that are not loaded yet."""
        missing = {
            cell: [id_ for ids in records.members.values() for id_ in ids if id_ not in records.connections]
            for cell, records in loaded.items()
        }
        names = [keys.connection(cell, id_) for cell, ids in missing.items() for id_ in ids]
        if not names:
            return
        pipe.watch(*names)
        connections = read_connections(self._client, missing)
        for cell, ids in missing.items():
            loaded[cell].connections.update({id_: connections[id_] for id_ in ids if id_ in connections})

    def _find_homes(self, affected: Mapping[int, AffectedIds], loaded: Mapping[int, LoadedRecords]) -> None:
        """Look in all other cells for the connections that are not stored in their own.

        Raises ``CommitConflict`` if two cells would store the same one: they have to take turns.
        """
        unknown: dict[str, int] = {}
        for cell, ids in affected.items():
            for id_ in ids.connections:
                if id_ not in loaded[cell].connections and unknown.setdefault(id_, cell) != cell:
                    raise CommitConflict
        if not unknown:
            return
        beginnings = {other: keys.connection(other, "") for other in keys.cells()}
        names = {other: [beginning + id_ for id_ in unknown] for other, beginning in beginnings.items()}
        with self._client.pipeline(transaction=False) as pipe:
            for of_cell in names.values():
                pipe.exists(*of_cell)
            counts = dict(zip(names, pipe.execute(), strict=True))
        for other in filter(counts.get, counts):
            for (id_, cell), name in zip(unknown.items(), names[other], strict=True):
                if cell != other and self._client.exists(name):
                    loaded[cell].homes[id_] = other


def _waiting(entries: Sequence[Any], rows: Sequence[bytes | None]) -> WaitingBatch:
    """The messages in the reply of the script ``read``."""
    messages: dict[bytes, tuple[list[bytes], bytes | None]] = {}
    for (entry_id, (_, event_id)), row in zip(entries, rows, strict=True):
        messages.setdefault(event_id, ([], row))[0].append(entry_id)
    batch = WaitingBatch([], [])
    for event_id, (entry_ids, row) in messages.items():
        record = None if row is None else message_records.load_anything(row)
        if record is None or record.status != "pending":
            batch.gone.extend(entry_ids)
            continue
        content = message_records.unpack_content(record.content)
        batch.waiting.append(WaitingMessage(text(event_id), tuple(entry_ids), record, *content))
    return batch


def _stage_writes(pipe: Staging, cell: int, batch: Batch, now: datetime) -> None:
    outbox.write(pipe, cell, batch.notifications)  # first: see the script
    commits.write_connections(pipe, cell, batch, now)
    commits.write_companies(pipe, cell, batch)
    questions.write(pipe, cell, batch.asks)
    poll_schedule.write(pipe, cell, batch, now)
    reminder_schedule.write(pipe, cell, batch, now)
    commits.write_events(pipe, cell, batch, now)
    commits.write_counts(pipe, cell, batch, now)
