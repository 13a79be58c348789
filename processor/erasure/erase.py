"""Erases a company: all records of it are removed, and a tombstone without personal data stays."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from redis import Redis, ResponseError, WatchError
from redis.client import Pipeline

from processor.access import audit
from processor.clock import to_iso, to_ms
from processor.delivery import serializers
from processor.delivery.attempt_recorder import forget_attempt
from processor.delivery.channels.registry import lane_ids
from processor.erasure import company_ids
from processor.erasure.records import CompanyRecords, RecordFinder
from processor.errors import NotFound, StoreUnavailable
from processor.store import commits, each_cell, inbox, keys, unreadable
from processor.store.decoding import text_fields, texts
from processor.store.message_records import INDEXED_STATUSES
from processor.store.records import read_members
from processor.store.round_trip import chunks
from processor.store.visit_steps import VisitStep

REPEATED_FOR_S = 2 * 86_400
"""Codat repeats an unanswered message for 28 hours."""

ATTEMPTS = 20


class CompanyEraser:
    """Erases companies. Every method raises ``redis.RedisError`` when Redis does not answer.

    A typed id may have surrounding blanks, and a UUID any case.
    """

    def __init__(self, client: "Redis[Any]") -> None:
        self._client = client
        self._finder = RecordFinder(client)

    def resolve_id(self, typed_id: str) -> str:
        """The stored spelling of the id of a company that has records here, or that was erased.

        Raises ``NotFound`` for any other: a tombstone of a mistyped id would certify an erasure that did
        not happen.
        """
        spellings = company_ids.spellings(typed_id)
        for is_known in (self._finder.has_records, self._was_erased):
            for spelling in spellings:
                if is_known(spelling):
                    return spelling
        company_id = company_ids.normalized(typed_id)
        if not company_id or not any(self.find_records(company_id).counts.values()):
            raise NotFound("There is no company with this id here, and none was erased; nothing was changed.")
        return company_id

    def find_records(self, company_id: str) -> CompanyRecords:
        """Everything that is stored of the company now."""
        return self._finder.find(company_id)

    def erase(self, typed_id: str, now: datetime) -> CompanyRecords:
        """Erase the company; the records that were removed. Raises what ``resolve_id`` raises.

        One transaction removes what is in its cell, and the commit of a drain that runs meanwhile fails.
        Messages that arrive later are dropped. What is elsewhere goes afterwards; the company stays in
        ``erasures`` until then, so that an erasure that was interrupted is completed.
        """
        company_id = self.resolve_id(typed_id)
        for _ in range(ATTEMPTS):
            with self._client.pipeline(transaction=True) as pipe:
                cursor = keys.cursor(keys.cell_of(company_id))
                pipe.watch(cursor, keys.company(company_id), keys.company_events(company_id))
                records = self.find_records(company_id)
                pipe.multi()
                pipe.set(keys.erased(company_id), to_iso(now), nx=True)
                pipe.incr(cursor)
                self._remove(pipe, records)
                self._remove_passed_on(records)
                try:
                    pipe.execute()
                except WatchError:
                    continue
                self._remove_elsewhere(records)
                return records
        raise StoreUnavailable("The company is being changed all the time; try again.")

    def rewrite_append_only_file(self) -> bool:
        """Ask Redis to rewrite its append-only file, which still holds the old writes; whether it does.

        A managed Redis may refuse and rewrites the file on its own schedule.
        """
        try:
            self._client.bgrewriteaof()
        except ResponseError:
            return False
        return True

    def due_companies(self, now: datetime, grace: timedelta) -> Iterator[str]:
        """Companies deleted longer than ``grace`` ago without pending messages or deliveries."""
        limit = to_ms(now - grace)
        due = each_cell.replies(
            self._client, lambda pipe, cell: pipe.zrangebyscore(keys.erasures(cell), "-inf", limit)
        )
        for company_id in texts(chain(*due)):
            if not self._is_pending(company_id):
                yield company_id

    def _is_pending(self, company_id: str) -> bool:
        """Whether a message or a delivery of the company is pending."""
        finder = self._finder
        cell = keys.cell_of(company_id)
        messages = finder.messages(cell, finder.members(keys.company_events(company_id)))
        if any(record.status in ("pending", "failed") for _, record in messages):
            return True
        connections = read_members(self._client, [company_id])[0]
        notifications = finder.notifications(cell, [company_id, *connections])
        undistributed = texts(fields[b"id"] for _, fields in self._client.xrange(keys.fan_out(cell)))
        if not set(undistributed).isdisjoint(notifications):
            return True
        with self._client.pipeline(transaction=False) as pipe:
            for notification_id in notifications:
                pipe.hgetall(keys.deliveries(cell, notification_id))
            replies = pipe.execute() if notifications else []
        return any(serializers.status(text_fields(row)) == "pending" for row in replies)

    def _remove(self, pipe: "Pipeline[Any]", records: CompanyRecords) -> None:
        company_id = records.company_id
        for chunk in chunks(_keys_of(records)):
            pipe.delete(*chunk)
        if "merchant_id" in records.row:
            commits.remove_merchant(pipe, company_id, records.row["merchant_id"])
        cell = keys.cell_of(company_id)
        for index in (keys.companies(cell), keys.looks(cell), keys.not_shown(cell), keys.reminders(cell)):
            pipe.zrem(index, company_id)
        for step in VisitStep:
            pipe.zrem(keys.visit_steps(cell, step), company_id, *records.connections)
        pipe.zadd(keys.erasures(cell), {company_id: 0})
        for table in keys.of_companies(cell):
            pipe.hdel(table, company_id)
        for marks in (keys.shown(cell), keys.foreign(cell)):
            pipe.srem(marks, keys.shown_as(company_id))
        for chunk in chunks(records.connections):
            for index in _connection_indexes(cell):
                pipe.zrem(index, *chunk)
        for event_id in records.events:  # Codat may still repeat them, after a new sign-up too
            pipe.set(keys.seen(cell, event_id), "1", ex=REPEATED_FOR_S)
        _remove_messages(pipe, cell, records.events)
        self._remove_deliveries(pipe, cell, records.notifications)
        for questions in chunks(records.questions):
            pipe.zrem(keys.questions(cell), *questions)
            pipe.hdel(keys.question_details(cell), *questions)
            pipe.hdel(keys.questions_again(cell), *questions)

    def _remove_passed_on(self, records: CompanyRecords) -> None:
        """Remove the copies of messages that were passed on to other cells.

        The commit of a drain that has read one of them fails, so that it does not write the copy again.
        """
        home = keys.cell_of(records.company_id)
        with self._client.pipeline(transaction=False) as pipe:
            for cell in keys.cells() if records.events else ():
                if cell == home:
                    continue
                _remove_messages(pipe, cell, [inbox.passed_on_id(id_, cell) for id_ in records.events])
                pipe.incr(keys.cursor(cell))
            pipe.execute()

    def _remove_deliveries(self, pipe: "Pipeline[Any]", cell: int, notifications: Sequence[str]) -> None:
        """Stage the removal of indexes of notifications; the fan-out drops those that do not exist."""
        lanes = self._lanes()
        statuses = [keys.outbox_with(cell, status) for status in serializers.STATUSES]
        indexes = [keys.outbox(cell), *statuses, *(keys.lane(cell, lane) for lane in lanes)]
        for chunk in chunks(notifications):
            for index in indexes:
                pipe.zrem(index, *chunk)
            dead = [f"{notification_id} {lane}" for notification_id in chunk for lane in lanes]
            for part in chunks(dead):
                pipe.zrem(keys.dead_deliveries(cell), *part)

    def _lanes(self) -> list[str]:
        return lane_ids(self._finder.members(keys.subscribers()))

    def _remove_elsewhere(self, records: CompanyRecords) -> None:
        """Remove what is not in the cell of the company."""
        company_id = records.company_id
        self._remove_passed_on(records)  # a drain may have passed one on meanwhile
        inbox.remove_unrecognised(self._client, records.unrecognised)
        if group := records.row.get("group"):
            self._client.srem(keys.company_group(group), company_id)
        # The stream forgets them before it is read. It remembers what a dispatcher appends afterwards, by
        # which the fan-out finds that.
        for chunk in chunks(records.notifications):
            self._client.zrem(keys.published(keys.cell_of(company_id)), *chunk)
        self._finder.read_stream(records)
        for entries in chunks(records.stream):
            self._client.xdel(keys.stream(), *entries)
        for lane in self._lanes():
            forget_attempt(self._client, lane, set(records.notifications))
        unreadable.forget(self._client, "company", company_id)
        for connection_id in records.connections:
            unreadable.forget(self._client, "connection", connection_id)
            unreadable.forget(self._client, "timeline", connection_id)
        audit.forget_targets(self._client, records.identifiers)
        self._client.delete(keys.slots(company_id))
        self._client.zrem(keys.erasures(keys.cell_of(company_id)), company_id)

    def _was_erased(self, company_id: str) -> bool:
        return bool(self._client.exists(keys.erased(company_id)))


def _connection_indexes(cell: int) -> list[str]:
    return [keys.repairs(cell), *keys.connections(cell)]


def _remove_messages(pipe: "Pipeline[Any]", cell: int, event_ids: Sequence[str]) -> None:
    statuses = [keys.events_of(cell, status) for status in INDEXED_STATUSES]
    for chunk in chunks(event_ids):
        for table in (keys.messages(cell), keys.repeats(cell)):
            pipe.hdel(table, *chunk)
        for index in (keys.events(cell), keys.retries(cell), *statuses):
            pipe.zrem(index, *chunk)


def _keys_of(records: CompanyRecords) -> list[str]:
    """The keys that hold nothing but records of the company."""
    company_id = records.company_id
    names = [
        keys.company(company_id),
        keys.company_events(company_id),
        keys.connecting(company_id),
        keys.asked_again(company_id),
        keys.returns(company_id),
        keys.told_to_read(company_id),
        *(keys.link_mailed(company_id, holder) for holder in (keys.CONTACT, *records.people)),
        keys.people(company_id),
        keys.link_returns(company_id),
        keys.consents(company_id),
        keys.reminded(company_id),
        keys.confirmed_accounts(company_id),
        keys.consented(company_id),
        keys.consenters(company_id),
        keys.platform_requests(company_id),
        keys.outbox_of(keys.cell_of(company_id), company_id),
    ]
    cell = keys.cell_of(company_id)
    for connection_id in records.connections:
        names += [
            keys.connection(cell, connection_id),
            keys.timeline(cell, connection_id),
            keys.outbox_of(cell, connection_id),
        ]
    for notification_id in records.notifications:
        names += [keys.notification(cell, notification_id), keys.deliveries(cell, notification_id)]
    return names
