"""Drain cells: read messages, apply them to the state machine, commit once per batch."""

import gc
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Any

from redis import Redis, ResponseError
from redis.client import Pipeline
from rq.timeouts import BaseTimeoutException

from handlers.events import Event
from handlers.registry import Policy
from processor.alerts.replay import decode_event
from processor.clock import utc_now
from processor.runtime import tracing
from processor.store.cells import Cells, CommitConflict, LoadedRecords
from processor.store.inbox import Inbox
from processor.store.keys import cell_of
from processor.store.leases import CellLeases, WaitingCells
from processor.store.metrics import Metrics
from processor.store.unit_of_work import MESSAGES, Batch, WaitingMessage
from workers.inbox import reporting
from workers.inbox.batch import BatchHandler, affected_ids, reassigned_ids

_log = logging.getLogger(__name__)

BATCH = 500
"""Most messages of one pass over the cells; at least one of each cell."""

REPLAY_BATCH = 100
"""Most replays in one batch: a new message of one of the same cells waits for one such batch at most."""

LINGER_S = 3.0
"""How long a drain waits for more messages, in seconds; meanwhile accepting needs no wake-up call."""

RUN_S = 10.0
"""Longest run of one drain, in seconds: then RQ learns that its worker lives."""

RENEW_S = 0.3
"""How often a drain renews the leases of its cells, in seconds."""

ASK_FOR_HELP_S = 1.0
"""Pause between two requests for another drain while messages pile up, in seconds."""

Refused = dict[int, ResponseError]
"""The refusal of Redis by cell: a damaged record stops its cell, and no other."""


@dataclass(frozen=True, slots=True)
class DrainResult:
    """The result of a drain: the number of handled messages, and whether more are waiting."""

    handled: int
    more: bool


@dataclass(frozen=True, slots=True)
class HandledBatch:
    """The result of one pass: the number of handled messages.

    ``is_too_much``: cells have so many messages that each needs a batch of its own; none was handled.
    ``asks_now``: Codat has to be asked now. ``refused`` has the error of each cell that Redis did not write.
    """

    count: int = 0
    is_too_much: bool = False
    asks_now: bool = False
    refused: Mapping[int, ResponseError] = field(default_factory=dict)


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
        self._cells, self._replays = Cells(client), Cells(client, replays=True)
        self._policy = policy
        self._clock = clock
        self._stop = stop
        self._linger_s = linger_s
        self._help_at = 0.0
        self._is_behind = False
        self._inbox = inbox or Inbox(client)
        self._on_backlog = on_backlog
        self._on_questions = on_questions
        self._on_notifications = on_notifications
        self._progress = progress
        self._on_premise = on_premise

    def run(self, *numbers: int, run_s: float = RUN_S) -> DrainResult:
        """Drain these cells, by default those that no other drain serves, until no message comes for a while.

        Ends as well when the time of a run is over.
        """
        leases = CellLeases(self._client, numbers)
        self._is_behind = True  # begin with single cells: what ended the last run does not hold up the others
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
                    return DrainResult(handled, more=more)

    def _waiting(self, leases: CellLeases, timeout_s: float) -> WaitingCells:
        """The leased cells with messages; without a leased cell, wait until another drain may have gone."""
        if leases.held:
            return leases.waiting(max(0, int(timeout_s * 1000)))
        time.sleep(max(0.0, timeout_s))
        return WaitingCells([], [])

    def _round(self, leases: CellLeases, waiting: WaitingCells, refused: Refused, *, until: float) -> int:
        """Handle a batch of the cells with new messages, until then, and a batch of replays of one cell.

        Replays so get their turn however many new messages come. Returns the number of messages.
        """
        handled = 0
        for group in self._cells.groups(waiting.new, singly=self._is_behind):
            if time.monotonic() >= until:
                self._is_behind = True  # the others go on waiting, which makes their batches large
                break
            handled += self._drain_once(leases, group, refused)
        for number in waiting.replays[:1]:
            if number not in refused:
                handled += self._drain_once(leases, [number], refused, replays=True)
        return handled

    def _drain_once(
        self, leases: CellLeases, numbers: Sequence[int], refused: Refused, *, replays: bool = False
    ) -> int:
        """Handle one batch of these cells; the number of messages. Adds cells to ``refused``."""
        try:
            gc.disable()  # the records of a batch live until its commit: looking for cycles is in vain
            result = self.batch(*numbers, replays=replays)
        except (CommitConflict, ResponseError) as error:
            if len(numbers) > 1:  # one of the cells is the cause
                return sum(self._drain_once(leases, [number], refused) for number in numbers)
            if isinstance(error, CommitConflict):  # the batch is repeated in the next round
                _log.debug("another drain works on this cell", extra={"cell": numbers[0]})
                return 0
            result = HandledBatch(refused={numbers[0]: error})
        finally:
            gc.enable()
        refused.update(result.refused)
        leases.held = [number for number in leases.held if number not in refused]
        if not replays:  # a batch of replays says nothing about the new messages
            self._is_behind = result.is_too_much
        if result.asks_now:
            self._on_questions()
        is_full = result.count >= (REPLAY_BATCH if replays else BATCH)
        if is_full and len(leases.held) > 1 and time.monotonic() >= self._help_at:
            self._help_at = time.monotonic() + ASK_FOR_HELP_S
            self._on_backlog()
        return result.count

    def batch(self, *numbers: int, replays: bool = False) -> HandledBatch:
        """Handle and commit one batch of these cells. Raises ``CommitConflict`` if nothing was written."""
        cells = self._replays if replays else self._cells
        now = self._clock()
        self._progress()
        limit = max(1, (REPLAY_BATCH if replays else BATCH) // len(numbers))
        batches: dict[int, Batch] = {}
        events: dict[int, list[tuple[WaitingMessage, Event]]] = {}
        with cells.begin(numbers) as pipe:
            read = cells.read(numbers, limit)
            if not read:
                return HandledBatch(is_too_much=True)
            for number, (waiting, gone) in read.items():
                if waiting or gone:
                    batches[number] = Batch(gone=gone)
                    events[number] = self._understand(number, waiting, batches[number], now)
            if not batches:
                return HandledBatch()
            records = self._load(pipe, events)
            for number, batch in batches.items():
                self._apply(number, events[number], records[number], batch, now)
            first, *others = batches.values()
            for other in others:
                first.take_counts(other)
            refused = cells.commit(pipe, batches, now)
        committed_at = self._clock()
        committed = [batch for number, batch in batches.items() if number not in refused]
        handled = chain(*(rows for number, rows in events.items() if number not in refused))
        self._report(committed, handled, now, committed_at, replays=replays)
        asks_now = any(ask.not_before <= now for batch in committed for ask in batch.asks)
        return HandledBatch(sum(batch.size for batch in committed), asks_now=asks_now, refused=refused)

    def _load(
        self, pipe: "Pipeline[Any]", events: Mapping[int, list[tuple[WaitingMessage, Event]]]
    ) -> dict[int, LoadedRecords]:
        """Load what the events affect, by cell."""
        of_cell = {number: [event for _, event in rows] for number, rows in events.items()}
        records = self._cells.load(pipe, {number: affected_ids(rows) for number, rows in of_cell.items()})
        reassigned = {number: reassigned_ids(rows, records[number]) for number, rows in of_cell.items()}
        self._cells.load_members(pipe, {number: (records[number], ids) for number, ids in reassigned.items()})
        return records

    def _apply(
        self,
        number: int,
        events: Sequence[tuple[WaitingMessage, Event]],
        records: LoadedRecords,
        batch: Batch,
        now: datetime,
    ) -> None:
        """Apply the events of a cell to what they affect."""
        handler = BatchHandler(number, records, self._policy, now, batch, on_premise=self._on_premise())
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
                reporting.fail(batch, message, now)
            else:
                batch.done.append(message)
                passed_on += [(event, message.body, other) for other in handler.other_cells(event)]
        handler.finish()
        for event, body, other in passed_on:  # before the commit: repeated with it, and kept once
            if self._inbox.pass_on(event, body, other):
                self._on_backlog()
        batch.count("processed", len(batch.done))

    def _report(
        self,
        batches: Sequence[Batch],
        events: Iterable[tuple[WaitingMessage, Event]],
        began: datetime,
        committed_at: datetime,
        *,
        replays: bool,
    ) -> None:
        """Count and log what was committed, and wake the dispatcher."""
        lags = [
            (committed_at - event.received_at).total_seconds()
            for message, event in events
            if event.source in MESSAGES and not message.record.attempts
        ]
        told = sum(len(batch.notifications) for batch in batches)
        failed = sum(len(batch.failed) for batch in batches)
        self._metrics.handled(lags, failed=failed, told=told, replays=replays)
        for batch in batches:
            if tracing.is_on():
                reporting.trace(batch, began, committed_at)
            reporting.log_outcomes(batch)
        if told:
            self._on_notifications()

    @staticmethod
    def _understand(
        cell: int, waiting: list[WaitingMessage], batch: Batch, now: datetime
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
                reporting.fail(batch, message, now)
                continue
            if event.company is not None and cell_of(event.company.id) != cell:
                event = replace(event, company=None)  # passed on by the cell of its company
            events.append((message, event))
        return events
