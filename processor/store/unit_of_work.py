"""What a batch of messages is, before and after it was handled."""

from dataclasses import dataclass, field
from datetime import datetime

from handlers.company import CompanyChange
from handlers.connection import Connection
from handlers.effects import Ask, PausePolling, ResumePolling
from handlers.events import Event
from handlers.milestones import Notification
from handlers.timeline import TimelineEntry
from processor.store.records import StoredConnection


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """One message of the inbox as it was stored; ``entry_ids`` are its places in the stream."""

    event_id: str
    entry_ids: tuple[bytes, ...]
    body: bytes
    received_at: str
    source: str
    attempts: int


@dataclass(slots=True)
class Batch:
    """Everything that one commit writes.

    ``gone`` are stream entries whose message is gone, ``moved`` messages that belong to
    another shard since INBOX_SHARDS changed, ``dropped`` those of companies that were erased.
    ``repairs`` are connections that a look of ours changed, ``confirmed`` those of which a message
    said what was known already; ``heard``: a message of Codat's was among them.
    """

    done: list[WaitingMessage] = field(default_factory=list)
    failed: list[tuple[WaitingMessage, str, datetime | None]] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    moved: list[tuple[WaitingMessage, int]] = field(default_factory=list)
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
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, name: str, by: int = 1) -> None:
        """Count ``name`` once more in this batch."""
        self.counts[name] = self.counts.get(name, 0) + by
