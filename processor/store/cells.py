"""A cell of the store: its inbox is read, and its changes are committed, in batches."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from redis import Redis, WatchError
from redis.client import Pipeline

from processor.store import (
    commits,
    keys,
    message_records,
    outbox,
    poll_schedule,
    questions,
    reminder_schedule,
)
from processor.store.decoding import text, text_fields, texts
from processor.store.records import StoredConnection, UnreadableConnection, read_connections
from processor.store.unit_of_work import Batch, WaitingMessage


class CursorConflict(Exception):
    """Another drain has committed to this cell; this commit wrote nothing."""


class WriteConflict(Exception):
    """Another writer changed a connection or company of this batch; nothing was written. Retry the batch."""


class LoadedRecords(NamedTuple):
    """Stored records that a batch needs, by connection id or company id.

    An erased company has the single field ``erased_at``. ``members`` are the connection ids of companies.
    ``shown`` are companies that Codat has shown to this API key, ``foreign`` those of other Codat clients.
    """

    connections: dict[str, StoredConnection | UnreadableConnection]
    companies: dict[str, dict[str, str]]
    members: dict[str, list[str]]
    shown: set[str]
    foreign: set[str]


class Cell:
    """Reads and commits batches of one cell, guarded by its cursor."""

    def __init__(self, client: "Redis[Any]", number: int, *, replays: bool = False) -> None:
        """``replays``: of that lane of the inbox."""
        self.number, self.replays = number, replays
        self._inbox = keys.replays(number) if replays else keys.inbox(number)
        self._client = client
        self._seen_cursor: Any = None

    def _connection_key(self, connection_id: str) -> str:
        return keys.connection(self.number, connection_id)

    def begin(self) -> "Pipeline[Any]":
        """Open a commit: watch the cursor before the first read."""
        pipe = self._client.pipeline(transaction=True)
        pipe.watch(keys.cursor(self.number))
        self._seen_cursor = pipe.get(keys.cursor(self.number))
        return pipe

    def read(self, limit: int) -> tuple[list[WaitingMessage], list[bytes]]:
        """The oldest messages, and stream entries of messages that no longer wait.

        Such a message is gone (erased or expired), or was handled by its entry in the other lane.
        """
        entries = self._client.xrange(self._inbox, count=limit)
        entry_ids_of: dict[str, list[bytes]] = {}
        for entry_id, fields in entries:
            entry_ids_of.setdefault(text(fields[b"id"]), []).append(entry_id)
        if not entry_ids_of:
            return [], []
        rows = self._client.hmget(keys.messages(self.number), list(entry_ids_of))
        waiting: list[WaitingMessage] = []
        gone: list[bytes] = []
        for (event_id, entry_ids), row in zip(entry_ids_of.items(), rows, strict=True):
            record = None if row is None else message_records.load_anything(row)
            if record is None or record.status != "pending":
                gone += entry_ids
                continue
            waiting.append(
                WaitingMessage(
                    event_id, tuple(entry_ids), record, *message_records.unpack_content(record.content)
                )
            )
        return waiting, gone

    def load(
        self,
        pipe: "Pipeline[Any]",
        connection_ids: Iterable[str],
        company_ids: Sequence[str],
        expanded_company_ids: Iterable[str],
    ) -> LoadedRecords:
        """Load the connections, the companies, and all connections of the expanded companies.

        They are in this cell. ``pipe`` watches them from here on: a sign-up changes a company and its
        connections.
        """
        expanded = list(dict.fromkeys(expanded_company_ids))
        named = list(dict.fromkeys(connection_ids))
        members: dict[str, list[str]] = {}
        if named or company_ids:
            pipe.watch(*map(keys.company, company_ids), *map(self._connection_key, named))
        with self._client.pipeline(transaction=False) as reads:
            for company_id in company_ids:
                reads.hgetall(keys.company(company_id))
            for company_id in expanded:
                reads.zrange(keys.company_connections(company_id), 0, -1)
            if company_ids:
                reads.mget([keys.erased(company_id) for company_id in company_ids])
                marks = [keys.shown_as(company_id) for company_id in company_ids]
                for name in (keys.shown(self.number), keys.foreign(self.number)):
                    reads.smismember(name, marks)  # type: ignore[no-untyped-call]
            answers = reads.execute()
        erasures, *memberships = answers[-3:] if company_ids else ([], [], [])
        shown, foreign = (
            {company_id for company_id, is_member in zip(company_ids, flags, strict=True) if is_member}
            for flags in memberships
        )
        companies = {
            company_id: text_fields(row) for company_id, row in zip(company_ids, answers, strict=False) if row
        }
        for company_id, erased_at in zip(company_ids, erasures, strict=True):
            if erased_at is not None:
                companies[company_id] = {"erased_at": text(erased_at)}
        for company_id, row in zip(expanded, answers[len(company_ids) :], strict=False):
            members[company_id] = texts(row)
        all_ids = list(dict.fromkeys([*named, *(id_ for ids in members.values() for id_ in ids)]))
        if len(all_ids) > len(named):
            pipe.watch(*map(self._connection_key, all_ids[len(named) :]))
        connections = read_connections(self._client, {self.number: all_ids})
        return LoadedRecords(connections, companies, members, shown, foreign)

    def homes(self, connection_ids: Sequence[str]) -> dict[str, int]:
        """The cells of those of the connections that are stored in another cell."""
        if not connection_ids:
            return {}
        others = [cell for cell in keys.cells() if cell != self.number]
        with self._client.pipeline(transaction=False) as pipe:
            for cell in others:
                pipe.exists(*(keys.connection(cell, connection_id) for connection_id in connection_ids))
            counts = pipe.execute()
        return {
            connection_id: cell
            for cell, count in zip(others, counts, strict=True)
            if count
            for connection_id in connection_ids
            if self._client.exists(keys.connection(cell, connection_id))
        }

    def commit(self, pipe: "Pipeline[Any]", batch: Batch, now: datetime) -> None:
        """Write all of ``batch``; raises ``CursorConflict`` or ``WriteConflict`` and then writes nothing.

        News of the whole client is in no cell: it is written first, and again where the commit is repeated.
        """
        for polling in batch.polling:
            questions.write_polling(self._client, polling, now)
        pipe.multi()
        pipe.incr(keys.cursor(self.number))
        entry_ids = list(batch.gone)
        handled = [*batch.done, *(row[0] for row in batch.failed), *(row[0] for row in batch.dropped)]
        for message in handled:
            entry_ids += message.entry_ids
        if entry_ids:
            pipe.xdel(self._inbox, *entry_ids)
        commits.write_connections(pipe, self.number, batch, now)
        commits.write_companies(pipe, self.number, batch)
        outbox.write(pipe, self.number, batch.notifications)
        questions.write(pipe, self.number, batch.asks)
        poll_schedule.write(pipe, self.number, batch, now)
        reminder_schedule.write(pipe, self.number, batch, now)
        commits.write_events(pipe, self.number, batch, now)
        for name, count in batch.counts.items():
            pipe.hincrby(keys.counters(self.number), name, count)
        try:
            pipe.execute()
        except WatchError as error:
            if self._client.get(keys.cursor(self.number)) == self._seen_cursor:
                raise WriteConflict from error
            raise CursorConflict from error
