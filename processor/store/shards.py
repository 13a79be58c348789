"""One shard of the inbox, read and committed in batches."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from redis import Redis, WatchError
from redis.client import Pipeline

from processor.store import commits, keys, outbox, poll_schedule, questions
from processor.store.decoding import text_fields, texts
from processor.store.inbox import WAKE_MS
from processor.store.records import StoredConnection, UnreadableConnection, read_connections
from processor.store.scripts import register
from processor.store.unit_of_work import Batch, WaitingMessage


class CursorConflict(Exception):
    """Another drain committed to this shard meanwhile; nothing of ours was written."""


class WriteConflict(Exception):
    """Another shard committed to a connection of this batch meanwhile; nothing was written: do it again."""


class Loaded(NamedTuple):
    """What is known before a batch is handled, by connection or company.

    Of a company that was erased the only field is ``erased_at``. ``shown`` are the companies that Codat
    showed to our key, ``foreign`` those of which it cannot be asked with it.
    """

    connections: dict[str, StoredConnection | UnreadableConnection]
    companies: dict[str, dict[str, str]]
    members: dict[str, list[str]]
    shown: set[str]
    foreign: set[str]


class Shard:
    """Reads batches of one shard and commits what follows from them, guarded by its cursor."""

    def __init__(self, client: "Redis[Any]", number: int, *, stream_length: int = 100_000) -> None:
        self.number = number
        self._client = client
        self._stream_length = stream_length
        self._rest = register(client, "rest")
        self._seen_cursor: Any = None

    def stay_awake(self) -> None:
        """Say that a drain of this shard runs."""
        self._client.set(keys.wake(self.number), "drains", px=WAKE_MS)

    def rest(self) -> bool:
        """Let the shard sleep; false when more has come, and it stays awake."""
        return bool(self._rest(keys=[keys.inbox(self.number), keys.wake(self.number)]))

    def wait(self, timeout_ms: int) -> bool:
        """Wait until something is in the inbox, for so long at the most; whether there is."""
        inbox = keys.inbox(self.number)
        return bool(self._client.xread({inbox: "0"}, count=1, block=timeout_ms))

    def begin(self) -> "Pipeline[Any]":
        """Open a commit: watch the cursor before anything is read."""
        pipe = self._client.pipeline(transaction=True)
        pipe.watch(keys.cursor(self.number))
        self._seen_cursor = pipe.get(keys.cursor(self.number))
        return pipe

    def read(self, most: int) -> tuple[list[WaitingMessage], list[bytes]]:
        """The oldest messages, and the stream entries whose message is gone (erased or expired)."""
        entries = self._client.xrange(keys.inbox(self.number), count=most)
        places: dict[str, list[bytes]] = {}
        for entry_id, fields in entries:
            places.setdefault(fields[b"id"].decode(), []).append(entry_id)
        if not places:
            return [], []
        with self._client.pipeline(transaction=False) as pipe:
            for event_id in places:
                pipe.hmget(keys.event(event_id), "body", "received_at", "source", "attempts")
            rows = pipe.execute()
        waiting, gone = [], []
        for (event_id, entry_ids), (body, received_at, source, attempts) in zip(
            places.items(), rows, strict=True
        ):
            if body is None:
                gone += entry_ids
                continue
            waiting.append(
                WaitingMessage(
                    event_id,
                    tuple(entry_ids),
                    body,
                    received_at.decode(),
                    source.decode() if source else "",
                    int(attempts or 0),
                )
            )
        return waiting, gone

    def load(
        self,
        pipe: "Pipeline[Any]",
        connection_ids: Iterable[str],
        company_ids: Sequence[str],
        whole: Iterable[str],
    ) -> tuple[
        dict[str, StoredConnection | UnreadableConnection],
        dict[str, dict[str, str]],
        dict[str, list[str]],
        set[str],
        set[str],
    ]:
        """The connections, companies, and the connections of whole companies, as they are stored.

        Connections and companies are watched by ``pipe`` from here on: a message may name a connection
        of another company, which another shard changes, and a sign-up changes a company.
        """
        whole = list(dict.fromkeys(whole))
        named = list(dict.fromkeys(connection_ids))
        members: dict[str, list[str]] = {}
        if named or company_ids:
            pipe.watch(*map(keys.company, company_ids), *map(keys.connection, named))
        with self._client.pipeline(transaction=False) as reads:
            for company_id in company_ids:
                reads.hgetall(keys.company(company_id))
            for company_id in whole:
                reads.zrange(keys.company_connections(company_id), 0, -1)
            if company_ids:
                reads.mget([keys.erased(company_id) for company_id in company_ids])
                marked = [keys.shown_as(company_id) for company_id in company_ids]
                for marks in (keys.shown(), keys.foreign()):
                    reads.smismember(marks, marked)  # type: ignore[no-untyped-call]
            answers = reads.execute()
        stones, *marked_as = answers[-3:] if company_ids else ([], [], [])
        shown, foreign = (
            {company_id for company_id, mark in zip(company_ids, flags, strict=True) if mark}
            for flags in marked_as
        )
        companies = {
            company_id: text_fields(row) for company_id, row in zip(company_ids, answers, strict=False) if row
        }
        for company_id, erased_at in zip(company_ids, stones, strict=True):
            if erased_at is not None:
                companies[company_id] = {"erased_at": erased_at.decode()}
        for company_id, row in zip(whole, answers[len(company_ids) :], strict=False):
            members[company_id] = texts(row)
        wanted = list(dict.fromkeys([*named, *(id_ for ids in members.values() for id_ in ids)]))
        if len(wanted) > len(named):
            pipe.watch(*map(keys.connection, wanted[len(named) :]))
        return Loaded(read_connections(self._client, wanted), companies, members, shown, foreign)

    def commit(self, pipe: "Pipeline[Any]", batch: Batch, now: datetime) -> None:
        """Write all of ``batch``, or raise ``CursorConflict`` or ``WriteConflict`` and write nothing."""
        pipe.multi()
        pipe.incr(keys.cursor(self.number))
        pipe.set(keys.wake(self.number), "drains", px=WAKE_MS)
        places = [*batch.gone, *(place for message in batch.done for place in message.entry_ids)]
        places += [place for message, _, _ in batch.failed for place in message.entry_ids]
        for message, number in batch.moved:
            places += message.entry_ids
            pipe.xadd(keys.inbox(number), {"id": message.event_id})
            pipe.hset(keys.event(message.event_id), "shard", number)
        places += [place for message, _ in batch.dropped for place in message.entry_ids]
        if places:
            pipe.xdel(keys.inbox(self.number), *places)
        commits.write_connections(pipe, batch)
        commits.write_companies(pipe, batch)
        outbox.write(pipe, batch.notifications, stream_length=self._stream_length)
        questions.write(pipe, batch.asks)
        for polling in batch.polling:
            questions.write_polling(pipe, polling, now)
        poll_schedule.write(pipe, batch, now)
        commits.write_events(pipe, batch, now)
        for name, by in batch.counts.items():
            pipe.hincrby(keys.counters(), name, by)
        try:
            pipe.execute()
        except WatchError as error:
            if self._client.get(keys.cursor(self.number)) == self._seen_cursor:
                raise WriteConflict from error
            raise CursorConflict from error
