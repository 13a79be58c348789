"""Drain a cell of the inbox: read messages, apply them to the state machine, commit once per batch."""

import logging
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from redis import Redis
from rq.timeouts import BaseTimeoutException

from handlers.events import Event
from handlers.registry import Policy
from processor.alerts.replay import decode_event
from processor.clock import from_iso, utc_now
from processor.store.cells import Cell, CursorConflict, WriteConflict
from processor.store.inbox import Inbox
from processor.store.keys import cell_of
from processor.store.unit_of_work import Batch, WaitingMessage
from processor.store.waker import HANDLING_RETRIES
from workers.inbox.batch import BatchHandler

_log = logging.getLogger(__name__)

BATCH = 500
LINGER_MS = 100
RUN_S = 5.0
"""Longest run of one drain, in seconds."""

SHARE_S = 0.25
"""Longest run of one drain while other cells wait for a worker, in seconds."""

MOST_TRACE = 4_000


@dataclass(frozen=True, slots=True)
class Drained:
    """The result of a drain: the number of handled messages, and whether more are waiting."""

    handled: int
    more: bool


class Drain:
    """Drains cells.

    ``stop`` tells to finish early (after a signal), ``yield_to`` that other cells wait for a worker. The
    drain calls ``on_questions`` when Codat has to be asked now, ``on_notifications`` after a commit with
    notifications, ``on_other_cell`` where it passed a message on to a cell that sleeps, and ``progress`` at
    each step. ``inbox`` keeps those messages. ``on_premise`` says by platform key which platforms are
    software on the customer's own computer.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        policy: Policy,
        inbox: Inbox | None = None,
        clock: Callable[[], datetime] = utc_now,
        stop: Callable[[], bool] = lambda: False,
        yield_to: Callable[[], bool] = lambda: False,
        on_other_cell: Callable[[int], None] = lambda _cell: None,
        on_questions: Callable[[], None] = lambda: None,
        on_notifications: Callable[[], None] = lambda: None,
        progress: Callable[[], object] = lambda: None,
        on_premise: Callable[[], Mapping[str, bool]] = dict,
        stream_length: int = 100_000,
    ) -> None:
        self._client = client
        self._policy = policy
        self._clock = clock
        self._stop = stop
        self._yield_to = yield_to
        self._inbox = inbox or Inbox(client)
        self._on_other_cell = on_other_cell
        self._on_questions = on_questions
        self._on_notifications = on_notifications
        self._progress = progress
        self._on_premise = on_premise
        self._stream_length = stream_length

    def run(self, number: int, *, run_s: float = RUN_S) -> Drained:
        """Drain cell ``number`` until it is empty, or until the time of a run is over."""
        cell = Cell(self._client, number, stream_length=self._stream_length)
        started = time.monotonic()
        handled = 0
        cell.stay_awake()
        while True:
            conflicted = False
            try:
                count, ask_now = self.batch(cell)
            except CursorConflict:
                _log.debug("another drain works on this cell", extra={"cell": number})
                return Drained(handled, more=False)
            except WriteConflict:  # repeat the batch, but check stop and time first
                count, ask_now, conflicted = 0, False, True
            handled += count
            if ask_now:
                self._on_questions()
            ran_s = time.monotonic() - started
            if self._stop() or ran_s >= run_s or (ran_s >= SHARE_S and self._yield_to()):
                return Drained(handled, more=not cell.rest())
            if count == 0 and not conflicted:
                lingers = not self._yield_to() and cell.wait(LINGER_MS)
                if not lingers and cell.rest():
                    return Drained(handled, more=False)

    def batch(self, cell: Cell) -> tuple[int, bool]:
        """Handle and commit one batch. Return the number of messages, and whether to ask Codat now."""
        now = self._clock()
        self._progress()
        pipe = cell.begin()
        with pipe:
            waiting, gone = cell.read(BATCH)
            if not waiting and not gone:
                return 0, False
            batch = Batch(gone=gone)
            events = self._understand(cell, waiting, batch, now)
            handler = BatchHandler(
                cell,
                pipe,
                [event for _, event in events],
                self._policy,
                now,
                batch,
                on_premise=self._on_premise(),
            )
            passed_on: list[tuple[Event, bytes, int]] = []
            for message, event in events:
                self._progress()
                if event.company is not None and handler.is_erased(event.company.id):
                    batch.dropped.append((message, event.company.id))
                    continue
                try:
                    handler.learn(event)
                except BaseTimeoutException:  # of the job, not of this message
                    raise
                except Exception:
                    _fail(batch, message, now)
                else:
                    batch.done.append(message)
                    for number in handler.other_cells(event):
                        passed_on.append((event, message.body, number))
            handler.finish()
            for event, body, number in passed_on:  # before the commit: repeated with it, and kept once
                if self._inbox.pass_on(event, body, number):
                    self._on_other_cell(number)
            batch.count("processed", len(batch.done))
            cell.commit(pipe, batch, now)
        _report(batch)
        if batch.notifications:
            self._on_notifications()
        asks_now = any(ask.not_before <= now for ask in batch.asks)
        return len(waiting) + len(gone), asks_now

    @staticmethod
    def _understand(
        cell: Cell, waiting: list[WaitingMessage], batch: Batch, now: datetime
    ) -> list[tuple[WaitingMessage, Event]]:
        """The events of the messages that can be parsed."""
        events = []
        for message in waiting:
            try:
                event = decode_event(
                    message.body,
                    source=message.source,
                    event_id=message.event_id,
                    received_at=from_iso(message.received_at),
                )
            except BaseTimeoutException:
                raise
            except Exception:
                _fail(batch, message, now)
                continue
            if event.company is not None and cell_of(event.company.id) != cell.number:
                event = replace(event, company=None)  # passed on by the cell of its company
            events.append((message, event))
        return events


def _report(batch: Batch) -> None:
    """Log the outcome of each message and notification of a committed batch."""
    outcomes: dict[str, list[str]] = {message.event_id: [] for message in batch.done}
    for _, event, entry in batch.entries:
        outcomes.setdefault(event.event_id, []).append(str(entry.outcome))
    for event_id, event_outcomes in outcomes.items():
        _log.info("a message was handled", extra={"event_id": event_id, "outcomes": event_outcomes})
    for notification in batch.notifications:
        fields = {
            "event_id": notification.data["event_id"],
            "notification_id": notification.id,
            "connection_id": notification.data["connection_id"],
            "type": notification.type.value,
        }
        _log.info("a notification was decided", extra=fields)


def _fail(batch: Batch, message: WaitingMessage, now: datetime) -> None:
    """Record the error that handling ``message`` raised, and the time of the next attempt."""
    trace = traceback.format_exc()[-MOST_TRACE:]
    is_last = message.attempts >= len(HANDLING_RETRIES)
    again = None if is_last else now + HANDLING_RETRIES[message.attempts]
    batch.failed.append((message, trace, again))
    batch.count("dead_letters" if is_last else "handling_failures")
    _log.error(
        "handling a message raised",
        exc_info=True,
        extra={"event_id": message.event_id, "attempt": message.attempts + 1, "dead": is_last},
    )
