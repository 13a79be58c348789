"""A batch of messages before and after handling: input, changes and outcomes of one commit."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from handlers.company import CompanyChange
from handlers.connection import Connection
from handlers.effects import Ask, PausePolling, ResumePolling
from handlers.events import Event, HistorySeen, Source
from handlers.milestones import Notification
from handlers.state import State
from handlers.timeline import TimelineEntry, TimelineOutcome
from processor.store.message_records import MessageHead, MessageRecord
from processor.store.records import StoredConnection

MESSAGES = frozenset({Source.CURRENT, Source.LEGACY})

_STATES_WITHOUT_MESSAGE = frozenset({State.SYNCING, State.SYNC_FAILED})
"""No message reports the start of a first sync, and no legacy alert its complete failure."""


class WaitingMessage(NamedTuple):
    """A message of the inbox as stored; ``entry_ids`` are its entries in the stream."""

    event_id: str
    entry_ids: tuple[bytes, ...]
    record: MessageRecord
    head: MessageHead
    body: bytes


@dataclass(slots=True)
class Batch:
    """Everything that one commit writes.

    ``failed`` holds message, traceback and time of the next attempt (``None``: dead letter).
    ``gone`` are stream entries of messages that no longer wait. ``dropped`` are messages of erased companies,
    and the companies.
    ``repairs`` are connections changed by a poll, ``confirmed`` those whose message reported a known change.
    ``heard`` is whether one of the messages came from Codat. ``looks`` are companies to poll now.
    """

    done: list[WaitingMessage] = field(default_factory=list)
    failed: list[tuple[WaitingMessage, str, datetime | None]] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    dropped: list[tuple[WaitingMessage, str]] = field(default_factory=list)
    repairs: list[str] = field(default_factory=list)
    confirmed: list[str] = field(default_factory=list)
    heard: bool = False
    connections: dict[str, tuple[Connection, str, StoredConnection | None]] = field(default_factory=dict)
    first_heard: dict[str, datetime] = field(default_factory=dict)
    entries: list[tuple[str, Event, TimelineEntry]] = field(default_factory=list)
    companies: dict[str, CompanyChange] = field(default_factory=dict)
    notifications: list[Notification] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    looks: set[str] = field(default_factory=set)
    polling: list[PausePolling | ResumePolling] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def size(self) -> int:
        """The number of messages and entries that it removes from the inbox."""
        return len(self.done) + len(self.failed) + len(self.dropped) + len(self.gone)

    def note_missed(self, connection_id: str, event: Event, entry: TimelineEntry) -> None:
        """Record whether an event shows that Codat did not deliver a message.

        A change found by a poll counts as a repair until a message reports the same: that message was only
        late.
        """
        if event.source in MESSAGES:
            if entry.outcome is TimelineOutcome.TWIN:
                self.confirmed.append(connection_id)
            return
        trigger = event.trigger
        if trigger is None or trigger.quiet or entry.outcome is not TimelineOutcome.APPLIED:
            return
        if isinstance(event, HistorySeen) and (entry.before == entry.after or entry.after == State.SYNCING):
            return
        if trigger.repairs:
            self.count("missed_messages")
        if entry.after not in _STATES_WITHOUT_MESSAGE:
            self.repairs.append(connection_id)

    def take_counts(self, other: "Batch") -> None:
        """Count also what ``other`` has counted, which then counts nothing: readers add up all cells."""
        self.counts.update(other.counts)
        self.heard = self.heard or other.heard
        other.counts.clear()

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter of this batch."""
        self.counts[name] += by
