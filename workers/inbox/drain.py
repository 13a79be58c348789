"""Drain cells: read messages, apply them to the state machine, commit once per batch."""

import logging
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from redis import Redis, ResponseError
from rq.timeouts import BaseTimeoutException

from handlers.events import Event
from handlers.registry import Policy
from processor.alerts.replay import decode_event
from processor.clock import utc_now
from processor.runtime import tracing
from processor.store.cells import Cell, CursorConflict, WriteConflict
from processor.store.inbox import Inbox
from processor.store.keys import cell_of
from processor.store.leases import CellLeases, WaitingCells
from processor.store.metrics import Metrics
from processor.store.unit_of_work import MESSAGES, Batch, WaitingMessage
from processor.store.waker import HANDLING_RETRIES
from workers.inbox.batch import BatchHandler

_log = logging.getLogger(__name__)

BATCH = 500
REPLAY_BATCH = 100
"""Most replays in one batch: a new message of one of the same cells waits for one such batch at most."""

LINGER_S = 3.0
"""How long a drain waits for more messages, in seconds; meanwhile accepting needs no wake-up call."""

RUN_S = 10.0
"""Longest run of one drain, in seconds: then RQ learns that its worker lives."""

RENEW_S = 0.4
"""How often a drain renews the leases of its cells, in seconds."""

ASK_FOR_HELP_S = 1.0
"""Pause between two requests for another drain while messages pile up, in seconds."""

MOST_TRACE = 4_000

Refused = dict[int, ResponseError]
"""The refusal of Redis by cell."""


@dataclass(frozen=True, slots=True)
class Drained:
    """The result of a drain: the number of handled messages, and whether more are waiting."""

    handled: int
    more: bool


class Drain:
    """Drains cells.

    ``stop`` tells to finish early (after a signal). The drain calls ``on_questions`` when Codat has to be
    asked now, ``on_notifications`` after a commit with notifications, ``on_backlog`` where another drain
    would help, and ``progress`` at each step. ``inbox`` keeps messages that are passed on to another cell.
    ``on_premise`` says by platform key which platforms are software on the customer's own computer.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        policy: Policy,
        inbox: Inbox | None = None,
        clock: Callable[[], datetime] = utc_now,
        stop: Callable[[], bool] = lambda: False,
        linger_s: float = LINGER_S,
        on_backlog: Callable[[], None] = lambda: None,
        on_questions: Callable[[], None] = lambda: None,
        on_notifications: Callable[[], None] = lambda: None,
        progress: Callable[[], object] = lambda: None,
        on_premise: Callable[[], Mapping[str, bool]] = dict,
        metrics: Metrics | None = None,
    ) -> None:
        self._metrics = metrics or Metrics()
        self._client = client
        self._policy = policy
        self._clock = clock
        self._stop = stop
        self._linger_s = linger_s
        self._help_at = 0.0
        self._inbox = inbox or Inbox(client)
        self._on_backlog = on_backlog
        self._on_questions = on_questions
        self._on_notifications = on_notifications
        self._progress = progress
        self._on_premise = on_premise

    def run(self, *numbers: int, run_s: float = RUN_S) -> Drained:
        """Drain these cells, by default those that no other drain serves, until no message comes for a while.

        Ends as well when the time of a run is over.
        """
        leases = CellLeases(self._client, numbers)
        started = last_handled = time.monotonic()
        handled = 0
        refused: Refused = {}
        while True:
            self._progress()
            leases.renew()
            leases.held = [number for number in leases.held if number not in refused]
            renewed = time.monotonic()
            while (now := time.monotonic()) < renewed + RENEW_S:
                idle_at = last_handled + self._linger_s
                waiting = self._waiting(leases, min(renewed + RENEW_S, idle_at) - now)
                if count := self._round(leases, waiting, refused, until=renewed + RENEW_S):
                    handled += count
                    last_handled = time.monotonic()
                now = time.monotonic()
                is_idle = not any(waiting) and now >= idle_at
                if self._stop() or is_idle or now - started >= run_s:
                    more = leases.release()
                    if refused:
                        raise next(iter(refused.values()))
                    return Drained(handled, more=more)

    def _waiting(self, leases: CellLeases, timeout_s: float) -> WaitingCells:
        """The leased cells with messages; without a leased cell, wait until another drain may have gone."""
        if leases.held:
            return leases.waiting(max(0, int(timeout_s * 1000)))
        time.sleep(max(0.0, timeout_s))
        return WaitingCells([], [])

    def _round(self, leases: CellLeases, waiting: WaitingCells, refused: Refused, *, until: float) -> int:
        """Handle a batch of each cell with new messages, until then, and a batch of replays.

        Replays so get their turn however many new messages come. A cell that Redis refuses becomes one of
        ``refused``: a damaged record stops its cell, and no other. Returns the number of messages.
        """
        handled = 0
        turns = [Cell(self._client, number) for number in waiting.new]
        turns += [Cell(self._client, number, replays=True) for number in waiting.replays[:1]]
        for cell in turns:
            if cell.number in refused or (not cell.replays and time.monotonic() >= until):
                continue
            try:
                handled += self._drain_once(leases, cell)
            except ResponseError as error:
                refused[cell.number] = error
                leases.held.remove(cell.number)
        return handled

    def _drain_once(self, leases: CellLeases, cell: Cell) -> int:
        """Handle one batch of a cell; the number of messages."""
        try:
            count, ask_now = self.batch(cell)
        except CursorConflict:
            _log.debug("another drain works on this cell", extra={"cell": cell.number})
            return 0
        except WriteConflict:  # the batch is repeated in the next round
            return 0
        if ask_now:
            self._on_questions()
        if count >= _limit(cell) and len(leases.held) > 1 and time.monotonic() >= self._help_at:
            self._help_at = time.monotonic() + ASK_FOR_HELP_S
            self._on_backlog()
        return count

    def batch(self, cell: Cell) -> tuple[int, bool]:
        """Handle and commit one batch. Return the number of messages, and whether to ask Codat now."""
        now = self._clock()
        self._progress()
        pipe = cell.begin()
        with pipe:
            waiting, gone = cell.read(_limit(cell))
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
                    passed_on += [(event, message.body, number) for number in handler.other_cells(event)]
            handler.finish()
            for event, body, number in passed_on:  # before the commit: repeated with it, and kept once
                if self._inbox.pass_on(event, body, number):
                    self._on_backlog()
            batch.count("processed", len(batch.done))
            cell.commit(pipe, batch, now)
        committed_at = self._clock()
        lags = [
            (committed_at - event.received_at).total_seconds()
            for message, event in events
            if event.source in MESSAGES and not message.record.attempts
        ]
        self._metrics.handled(
            lags, failed=len(batch.failed), told=len(batch.notifications), replays=cell.replays
        )
        if tracing.is_on():
            _trace(batch, now, committed_at)
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
                    source=message.head.source,
                    event_id=message.event_id,
                    received_at=message.record.received_at,
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


def _limit(cell: Cell) -> int:
    """Most messages of one batch."""
    return REPLAY_BATCH if cell.replays else BATCH


def _trace(batch: Batch, began: datetime, ended: datetime) -> None:
    """Record the spans of a committed batch."""
    for message in batch.done:
        tracing.record("handle", message.event_id, began, ended, attempts=message.record.attempts + 1)
    for notification in batch.notifications:
        tracing.record(
            "decide",
            notification.data["event_id"],
            ended,
            ended,
            notification_id=notification.id,
            type=str(notification.type),
        )


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
    is_last = message.record.attempts >= len(HANDLING_RETRIES)
    again = None if is_last else now + HANDLING_RETRIES[message.record.attempts]
    batch.failed.append((message, trace, again))
    batch.count("dead_letters" if is_last else "handling_failures")
    _log.error(
        "handling a message raised",
        exc_info=True,
        extra={"event_id": message.event_id, "attempt": message.record.attempts + 1, "dead": is_last},
    )
