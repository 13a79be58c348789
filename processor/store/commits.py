"""The writes of a commit: connections with their timelines, companies, and outcomes of messages."""

from datetime import datetime, timedelta
from typing import Any

from handlers.events import Event
from handlers.timeline import TimelineEntry
from processor.clock import to_ms
from processor.store import keys, message_records, records, timelines
from processor.store.each_cell import grouped
from processor.store.message_records import MessageRecord
from processor.store.timelines import TimelineRow
from processor.store.unit_of_work import Batch, WaitingMessage
from processor.store.writes import Staging, scores_and_members

AT_ONCE = timedelta(seconds=1)
"""A message that is handled within this time was handled when it came."""


def write_connections(pipe: Staging, cell: int, batch: Batch, now: datetime) -> None:
    """Stage documents, indexes and timelines of the connections in ``batch``."""
    entered: dict[str, dict[str, int]] = {}
    departed: dict[str, list[str]] = {}
    for connection_id, (connection, state, stored) in batch.connections.items():
        heard_ms = stored.first_heard_ms if stored else to_ms(batch.first_heard[connection_id])
        row = records.connection_row(connection, state, heard_ms)
        pipe.execute_command("SET", keys.connection(cell, connection_id), row)
        if stored is None or stored.state != state:
            if stored is not None:
                departed.setdefault(stored.state, []).append(connection_id)
            entered.setdefault(state, {})[connection_id] = heard_ms
    for state, ids in departed.items():
        pipe.execute_command("ZREM", keys.connections_in(cell, state), *ids)
    for state, scores in entered.items():
        pipe.execute_command("ZADD", keys.connections_in(cell, state), *scores_and_members(scores))
    lines = grouped(
        (connection_id, timelines.dump(_timeline_row(event, entry, now)))
        for connection_id, event, entry in batch.entries
    )
    for connection_id, added in lines.items():
        pipe.execute_command("RPUSH", keys.timeline(cell, connection_id), *added)


def write_companies(pipe: Staging, cell: int, batch: Batch) -> None:
    """Stage the fields and indexes of the companies in ``batch``, and their new connections."""
    new: dict[str, int] = {}
    rows: dict[str, list[Any]] = {}
    for connection_id, (connection, _, stored) in batch.connections.items():
        if stored is None and connection.company_id is not None:
            heard_ms = to_ms(batch.first_heard[connection_id])
            rows.setdefault(connection.company_id, []).extend((records.MEMBER + connection_id, heard_ms))
    for company_id, change in batch.companies.items():
        since = change.company_since or change.first_heard_at
        if change.merchant_id is not None and since is not None:
            put_merchant(
                pipe,
                company_id,
                change.merchant_id,
                before=change.previous_merchant_id,
                heard_ms=to_ms(since),
            )
        if change.first_heard_at is not None:
            new[company_id] = to_ms(change.first_heard_at)
        if change.grace_from is not None:
            pipe.execute_command("ZADD", keys.erasures(cell), "NX", to_ms(change.grace_from), company_id)
        rows.setdefault(company_id, []).extend(records.changed_fields(company_id, change))
    for company_id, fields in rows.items():
        pipe.execute_command("HSET", keys.company(company_id), *fields)
    if new:
        pipe.execute_command("ZADD", keys.companies(cell), "NX", *scores_and_members(new))


def put_merchant(
    pipe: Staging, company_id: str, merchant_id: str, *, before: str | None, heard_ms: int
) -> None:
    """Stage that a company, first heard of at ``heard_ms``, has this merchant id instead of ``before``.

    A company is in the index of the merchant id in its hash and in no other: a writer watches the hash and
    writes both in one transaction. Each write adds or removes one member and reads nothing, because several
    writers change the companies of one merchant at once.
    """
    cell = keys.cell_of(company_id)
    if before is not None and before != merchant_id:
        remove_merchant(pipe, company_id, before)
    pipe.execute_command("ZADD", keys.merchant_companies(cell, merchant_id), "NX", heard_ms, company_id)


def remove_merchant(pipe: Staging, company_id: str, merchant_id: str) -> None:
    """Stage that a company loses this merchant id."""
    name = keys.merchant_companies(keys.cell_of(company_id), merchant_id)
    pipe.execute_command("ZREM", name, company_id)


def write_events(pipe: Staging, cell: int, batch: Batch, now: datetime) -> None:
    """Stage the outcomes of the messages in ``batch``: processed, failed or dead."""
    rows: list[str | bytes] = []
    left: list[str] = []
    """Messages that are no longer failed or dead, nor to be attempted again."""
    for message in batch.done:
        rows += (message.event_id, message_records.dump(_processed(message, message.record.content, now)))
        if message.record.attempts:
            left.append(message.event_id)
    for message, company_id in batch.dropped:
        content = message_records.pack_content(message.head._replace(company_id="", connection_ids=()), b"")
        rows += (message.event_id, message_records.dump(_processed(message, content, now)))
        left.append(message.event_id)
        pipe.execute_command("DEL", keys.company_events(company_id))
    if left:
        for index in (keys.events_of(cell, "failed"), keys.events_of(cell, "dead"), keys.retries(cell)):
            pipe.execute_command("ZREM", index, *left)
    for message, trace, next_attempt in batch.failed:
        status = "dead" if next_attempt is None else "failed"
        failed = message.record._replace(
            status=status, error=trace, attempts=message.record.attempts + 1, next_attempt_at=next_attempt
        )
        rows += (message.event_id, message_records.dump(failed))
        if next_attempt is not None:
            pipe.execute_command("ZADD", keys.retries(cell), to_ms(next_attempt), message.event_id)
        received_ms = to_ms(message.record.received_at)
        pipe.execute_command("ZADD", keys.events_of(cell, status), received_ms, message.event_id)
    if rows:
        pipe.execute_command("HSET", keys.messages(cell), *rows)


def write_counts(pipe: Staging, cell: int, batch: Batch, now: datetime) -> None:
    """Stage the counters of ``batch`` and the times of the last commit and message, if it counts anything."""
    if not batch.counts:
        return
    for name, count in batch.counts.items():
        pipe.execute_command("HINCRBY", keys.counters(cell), name, count)
    times: list[Any] = ["last_commit_ms", to_ms(now)]
    if batch.heard:
        times += ("last_message_ms", to_ms(now))
    pipe.execute_command("HSET", keys.counters(cell), *times)


def _processed(message: WaitingMessage, content: bytes, now: datetime) -> MessageRecord:
    return MessageRecord("processed", message.record.received_at, content, processed_at=now)


def _timeline_row(event: Event, entry: TimelineEntry, now: datetime) -> TimelineRow:
    """The entry as stored; ``handled_at`` only where the message waited, or was handled again."""
    return TimelineRow(
        event.at,
        event.received_at,
        event.event_id,
        event.event_type,
        event.source,
        entry.before,
        entry.after,
        entry.outcome,
        entry.reason,
        tuple((row.kind, row.outcome, row.reason, row.notification_id) for row in entry.decisions),
        now if now - event.received_at >= AT_ONCE else None,
    )
