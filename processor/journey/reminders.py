"""Reminders of a company: decided and kept in one transaction, and looked at again before they are mailed."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from redis import Redis, WatchError

from handlers.milestones import ReminderType
from handlers.reminders import (
    DAY,
    Reminder,
    ReminderPlan,
    ReminderPolicy,
    is_still_true,
    plan_reminders,
)
from processor.clock import from_iso, from_ms, to_iso
from processor.errors import CodatError, CodatRefused, NotFound
from processor.settings import quiet_hours
from processor.settings.definitions import Settings
from processor.store import keys, outbox, records, reminder_schedule
from processor.store.decoding import text_fields
from processor.store.queries import Reader
from processor.store.records import StoredConnection
from processor.store.waker import Waker

_log = logging.getLogger(__name__)

MOST_COMPANIES = 1_000
"""Companies that one run decides about; the clock calls for another one within a minute."""

ATTEMPTS = 20
HOUR = timedelta(hours=1)
NOTHING = ReminderPlan((), None)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a reminder is not mailed now; ``wait``: how long to wait at least; ``None``: it is never mailed."""

    reason: str
    wait: timedelta | None = None


class Reminders:
    """Decides reminders. Every method may raise ``redis.RedisError``.

    ``read_again`` starts a read of a company at Codat; it raises ``CodatError``, or :class:`NotFound` for a
    company that is gone. ``None`` without an API key.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        reader: Reader,
        waker: Waker,
        settings: Settings,
        read_again: Callable[[str], None] | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._client, self._reader, self._waker = client, reader, waker
        self._settings, self._read_again, self._clock = settings, read_again, clock
        self._is_codat_away = False

    def run(self, stop: Callable[[], bool] = lambda: False) -> int:
        """Decide about the companies that are due; how many reminders were decided."""
        if self._settings.reminders == "off":
            return 0
        decided, self._is_codat_away = 0, False
        for company_id in reminder_schedule.due(self._client, self._clock(), MOST_COMPANIES):
            if stop():
                break
            decided += self.decide(company_id)
        if decided:
            self._waker.wake_dispatcher()
        return decided

    def decide(self, company_id: str) -> int:
        """Keep the reminders that are due now with what they are about; their number.

        A message, an erasure or another worker that changes the company meanwhile lets it be decided anew.
        """
        now, is_started = self._clock(), False
        cell, table = keys.cell_of(company_id), keys.reminded(company_id)
        for _ in range(ATTEMPTS):
            with self._client.pipeline(transaction=True) as pipe:
                pipe.watch(keys.company(company_id), table)
                ids = list(records.read_members(self._client, [company_id])[0])
                if ids:
                    pipe.watch(*(keys.connection(cell, connection_id) for connection_id in ids))
                plan = self._plan(company_id, ids, now)
                if not is_started and any(_is_read(reminder) for reminder in plan.due):
                    again_at = now + (HOUR if self._is_codat_away else DAY)
                    is_started = self._start_read(company_id)  # before it is told: to be repeated is harmless
                    if not is_started and self._read_again is not None:
                        plan = _without_reads(plan, again_at)
                due = [_told(reminder, is_started=is_started) for reminder in plan.due]
                pipe.multi()
                if due:
                    pipe.hset(table, mapping={reminder.key: to_iso(reminder.about) for reminder in due})
                    outbox.write(pipe, cell, [reminder.notification for reminder in due])
                reminder_schedule.put(pipe, company_id, plan.next_at)
                try:
                    pipe.execute()
                except WatchError:
                    continue
            for reminder in due:
                note = reminder.notification
                fields = {"notification_id": note.id, "type": note.type.value, "company_id": company_id}
                _log.info("a reminder was decided", extra=fields)
            return len(due)
        return 0  # it stays due

    def obstacle(self, body: Mapping[str, Any]) -> Obstacle | None:
        """What keeps the reminder of this body from being mailed now: it may have waited in its lane."""
        data, type_ = body["data"], ReminderType(body["type"])
        company_id = data["company_id"]
        row = self._reader.company(company_id)
        if self._settings.reminders != "email":
            return Obstacle("REMINDERS is not email")
        if row is None:
            return Obstacle("the company cannot be read", timedelta())
        if records.REMINDERS_OFF_AT in row:
            return Obstacle("the contact asked for no more reminders")
        ids = list(records.members(row))
        others = {stored.connection.id: stored.connection for stored in self._reader.connections(ids)}
        connection, since = others.pop(data["connection_id"], None), from_iso(data["occurred_at"])
        if connection is None or not is_still_true(
            type_, connection, data["authorization"], since, list(others.values())
        ):
            return Obstacle("what it reminds of is no longer so")
        now = self._clock()
        end = self._policy(row).quiet.end_after(now)
        return Obstacle("quiet hours", end - now) if end > now else None

    def _plan(self, company_id: str, connection_ids: list[str], now: datetime) -> ReminderPlan:
        row, cell = self._reader.company(company_id), keys.cell_of(company_id)
        if row is None and self._client.exists(keys.company(company_id)):
            return replace(NOTHING, next_at=now + DAY)  # unreadable, such as without its key
        if row is None or "deleted_at" in row:
            return NOTHING
        if self._client.zscore(keys.not_shown(cell), company_id) is not None:
            return replace(NOTHING, next_at=now + DAY)  # Codat does not know it, so far
        told = text_fields(self._client.hgetall(keys.reminded(company_id)))
        rows = records.read_connections(
            self._client, {cell: connection_ids}, parse=records.checked_connection
        )
        connections = [
            (stored.connection, from_ms(stored.first_heard_ms))
            for stored in rows.values()
            if isinstance(stored, StoredConnection)
        ]
        return plan_reminders(
            connections, {key: from_iso(at) for key, at in told.items()}, now, self._policy(row)
        )

    def _policy(self, company: Mapping[str, str]) -> ReminderPolicy:
        settings = self._settings
        try:
            quiet = quiet_hours.parse(settings.quiet_hours, company.get("time_zone") or settings.time_zone)
        except ValueError:  # the database of zones is the machine's, and zones come and go
            quiet = quiet_hours.parse(settings.quiet_hours, settings.time_zone)
        return ReminderPolicy(quiet=quiet, banking_consent=timedelta(days=settings.banking_consent_days))

    def _start_read(self, company_id: str) -> bool:
        """Have Codat read the company, so that no token of its connections runs out; whether it does.

        Once Codat did not answer, or its quota was used up, none is started in the rest of a run.
        """
        if self._read_again is None or self._is_codat_away:
            return False
        try:
            self._read_again(company_id)
        except (CodatError, NotFound) as error:
            self._is_codat_away = not isinstance(error, CodatRefused | NotFound)
            _log.warning(
                "a read that is due could not be started",
                extra={
                    "company_id": company_id,
                    "error": type(error).__name__,
                    "correlation_id": getattr(error, "correlation_id", None),
                },
            )
            return False
        return True


def _is_read(reminder: Reminder) -> bool:
    return reminder.notification.type is ReminderType.READ_DUE


def _without_reads(plan: ReminderPlan, again_at: datetime) -> ReminderPlan:
    """The plan without the reads that Codat did not start; they are tried again at ``again_at``."""
    due = tuple(reminder for reminder in plan.due if not _is_read(reminder))
    return ReminderPlan(due, min(again_at, plan.next_at or again_at))


def _told(reminder: Reminder, *, is_started: bool) -> Reminder:
    """A reminder of a read says whether Codat was told to read."""
    if not _is_read(reminder):
        return reminder
    note = reminder.notification
    return replace(reminder, notification=replace(note, data={**note.data, "read_started": is_started}))
