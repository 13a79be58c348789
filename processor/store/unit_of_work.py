"""What a batch of messages is, before and after it was handled."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from handlers.connection import Connection
from handlers.effects import Ask, PausePolling, ResumePolling
from handlers.events import Company, CompanyDeleted, Event, Source
from handlers.milestones import Notification
from handlers.timeline import TimelineEntry
from processor.clock import from_iso, to_iso
from processor.store.records import StoredConnection

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


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
class CompanyNews:
    """What was learnt of a company; ``None`` and empty mean "nothing".

    ``merchant_before`` is the stored merchant id whose place ``merchant_id`` takes, ``known_since`` when we
    first heard of the company that has it now. ``tagged_at`` is Codat's time of its newest tags.
    ``grace_from`` is when the time began after which a deleted company is erased.
    """

    name: str | None = None
    merchant_id: str | None = None
    merchant_before: str | None = None
    known_since: datetime | None = None
    tags: dict[str, str] = field(default_factory=dict)
    tagged_at: datetime | None = None
    deleted_at: datetime | None = None
    deleted_by: str | None = None
    grace_from: datetime | None = None
    first_heard: datetime | None = None

    def merge(self, newer: "CompanyNews") -> None:
        """Take over what ``newer`` knows; a deletion and when it was first heard of stay."""
        self.name = newer.name or self.name
        if newer.merchant_id is not None:
            if self.merchant_id is None:
                self.merchant_before = newer.merchant_before
            self.merchant_id, self.known_since = newer.merchant_id, newer.known_since
        self.tags = newer.tags or self.tags
        self.tagged_at = newer.tagged_at or self.tagged_at
        if self.deleted_at is None:
            self.deleted_at, self.deleted_by = newer.deleted_at, newer.deleted_by
            self.grace_from = newer.grace_from
        self.first_heard = self.first_heard or newer.first_heard

    @property
    def changes(self) -> bool:
        """Whether it is more than what we knew, said again later."""
        return self != CompanyNews(tagged_at=self.tagged_at)

    def as_fields(self, company_id: str) -> dict[str, str]:
        """The fields of the company's hash that this changes."""
        fields = {
            "name": self.name,
            "merchant_id": self.merchant_id,
            "tags": json.dumps(self.tags, ensure_ascii=False) if self.tags else None,
            "tagged_at": to_iso(self.tagged_at) if self.tagged_at else None,
            "deleted_at": to_iso(self.deleted_at) if self.deleted_at else None,
            "deleted_by": self.deleted_by,
            "first_heard": to_iso(self.first_heard) if self.first_heard else None,
        }
        return {"id": company_id} | {name: value for name, value in fields.items() if value is not None}


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
    companies: dict[str, CompanyNews] = field(default_factory=dict)
    notifications: list[Notification] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    looks: set[str] = field(default_factory=set)
    polling: list[PausePolling | ResumePolling] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, name: str, by: int = 1) -> None:
        """Count ``name`` once more in this batch."""
        self.counts[name] = self.counts.get(name, 0) + by


def company_news(event: Event, company: Company, known: Mapping[str, str] | None) -> CompanyNews | None:
    """What ``event`` adds to what is known of ``company`` (the fields of its hash); ``None`` for nothing."""
    known = known or {}
    news = CompanyNews()
    if "first_heard" not in known:
        news.first_heard = event.received_at
    if company.name is not None and known.get("name") != company.name:
        news.name = company.name
    if event.source is not Source.JOURNEY:  # our own steps repeat what we knew when they began
        _learn_tags(news, event, company, known)
    if isinstance(event, CompanyDeleted) and "deleted_at" not in known:
        news.deleted_at, news.deleted_by = event.at, event.event_id
        # Whoever asked us to delete it waits for no grace.
        news.grace_from = _LONG_AGO if event.source is Source.JOURNEY else event.received_at
    return None if news == CompanyNews() else news


def _learn_tags(news: CompanyNews, event: Event, company: Company, known: Mapping[str, str]) -> None:
    """The newest tags win, by Codat's time; an older message still says what nobody said before."""
    if not company.tags:
        return
    at = min(event.at, event.received_at)
    before = from_iso(known["tagged_at"]) if "tagged_at" in known else None
    is_newest = before is None or at >= before
    if is_newest:
        tags = dict(company.tags)
        if known.get("tags") != json.dumps(tags, ensure_ascii=False):
            news.tags = tags
        if at != before:
            news.tagged_at = at
    merchant_before = known.get("merchant_id")
    if company.merchant_id not in (None, merchant_before) and (is_newest or merchant_before is None):
        news.merchant_id, news.merchant_before = company.merchant_id, merchant_before
        news.known_since = from_iso(known["first_heard"]) if "first_heard" in known else event.received_at
