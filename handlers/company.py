"""The rules of a company: its name, tags, products, merchant and deletion, and what its connections take."""

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import Any

from handlers.connection import Connection
from handlers.events import (
    MERCHANT_TAG,
    Company,
    CompanyDeleted,
    Event,
    QuestionUnanswered,
    Source,
    UnhandledEvent,
)
from handlers.facts import Fact, FactKind
from handlers.records import dataclass

_NO_GRACE = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CompanyRecord:
    """A company as stored; ``None`` and empty tags mean unknown.

    ``tagged_at`` is Codat's time of its tags, and ``products_at`` that of a message with its products.
    """

    name: str | None = None
    merchant_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    tagged_at: datetime | None = None
    deleted_at: datetime | None = None
    deleted_by: str | None = None
    first_heard_at: datetime | None = None
    products: tuple[str, ...] | None = None
    products_at: datetime | None = None

    def with_change(self, change: "CompanyChange") -> "CompanyRecord":
        """The record after ``change``."""
        return CompanyRecord(
            name=change.name or self.name,
            merchant_id=change.merchant_id or self.merchant_id,
            tags=change.tags or self.tags,
            tagged_at=change.tagged_at or self.tagged_at,
            deleted_at=change.deleted_at or self.deleted_at,
            deleted_by=change.deleted_by or self.deleted_by,
            first_heard_at=change.first_heard_at or self.first_heard_at,
            products=self.products if change.products is None else change.products,
            products_at=change.products_at or self.products_at,
        )


@dataclass(frozen=True, slots=True)
class CompanyChange:
    """What an event changes of a company; ``None`` and empty tags mean no change.

    ``previous_merchant_id`` is the stored merchant id that ``merchant_id`` replaces, and ``company_since``
    the time from which the company is listed for its merchant. The grace period before the erasure of a
    deleted company begins at ``grace_from``.
    """

    name: str | None = None
    merchant_id: str | None = None
    previous_merchant_id: str | None = None
    company_since: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    tagged_at: datetime | None = None
    deleted_at: datetime | None = None
    deleted_by: str | None = None
    grace_from: datetime | None = None
    first_heard_at: datetime | None = None
    products: tuple[str, ...] | None = None
    products_at: datetime | None = None

    @property
    def is_news(self) -> bool:
        """Whether more changes than the time of the same tags or products."""
        return self != CompanyChange(tagged_at=self.tagged_at, products_at=self.products_at)

    def merged(self, newer: "CompanyChange") -> "CompanyChange":
        """Both changes as one. The first deletion and the first time of hearing stay."""
        merchant = newer if newer.merchant_id is not None else self
        deletion = self if self.deleted_at is not None else newer
        return CompanyChange(
            name=newer.name or self.name,
            merchant_id=merchant.merchant_id,
            previous_merchant_id=(self if self.merchant_id is not None else newer).previous_merchant_id,
            company_since=merchant.company_since,
            tags=newer.tags or self.tags,
            tagged_at=newer.tagged_at or self.tagged_at,
            deleted_at=deletion.deleted_at,
            deleted_by=deletion.deleted_by,
            grace_from=deletion.grace_from,
            first_heard_at=self.first_heard_at or newer.first_heard_at,
            products=self.products if newer.products is None else newer.products,
            products_at=newer.products_at or self.products_at,
        )


NO_RECORD = CompanyRecord()
NO_CHANGE = CompanyChange()


def company_change(event: Event, company: Company, record: CompanyRecord | None) -> CompanyChange:
    """What ``event`` changes of ``company``; ``NO_CHANGE`` for nothing.

    Steps of the journey repeat tags that may be outdated: they change none. A deletion by the journey is
    erased without a grace period.
    """
    record = record or NO_RECORD
    changes: dict[str, Any] = {}
    if record.first_heard_at is None:
        changes["first_heard_at"] = event.received_at
    if company.name is not None and company.name != record.name:
        changes["name"] = company.name
    if event.source is not Source.JOURNEY and company.tags:
        changes |= _changed_tags(event, company, record)
    if company.products is not None:
        changes |= _changed_products(event, company.products, record)
    if isinstance(event, CompanyDeleted) and record.deleted_at is None:
        grace_from = _NO_GRACE if event.source is Source.JOURNEY else event.received_at
        changes |= {"deleted_at": event.at, "deleted_by": event.event_id, "grace_from": grace_from}
    return CompanyChange(**changes) if changes else NO_CHANGE


def _changed_tags(event: Event, company: Company, record: CompanyRecord) -> dict[str, Any]:
    """The newest tags by Codat's time; an older event may still give the first merchant id."""
    changes: dict[str, Any] = {}
    at = min(event.at, event.received_at)
    is_newest = record.tagged_at is None or at >= record.tagged_at
    if is_newest and company.tags != record.tags:
        changes["tags"] = dict(company.tags)
    if is_newest and at != record.tagged_at:
        changes["tagged_at"] = at
    if names_other_merchant(company, record.merchant_id) and (is_newest or record.merchant_id is None):
        changes["merchant_id"] = company.merchant_id
        changes["previous_merchant_id"] = record.merchant_id
        changes["company_since"] = record.first_heard_at or event.received_at
    return changes


def _changed_products(event: Event, products: tuple[str, ...], record: CompanyRecord) -> dict[str, Any]:
    """The newest products by Codat's time; of those of one moment the greater, whichever came first."""
    at = min(event.at, event.received_at)
    if record.products_at is not None and (at, products) <= (record.products_at, record.products or ()):
        return {}
    return {"products": None if products == record.products else products, "products_at": at}


def names_other_merchant(company: Company, merchant_id: str | None) -> bool:
    """Whether the tags of ``company`` give another merchant id than the stored one."""
    return company.merchant_id not in (None, merchant_id)


def with_merchant(event: Event, record: CompanyRecord) -> Event:
    """The event with the merchant id of ``record``: its own tag may be missing or outdated."""
    company = event.company
    if company is None or record.merchant_id in (None, company.merchant_id):
        return event
    tags = {**company.tags, MERCHANT_TAG: str(record.merchant_id)}
    return replace(event, company=replace(company, tags=tags))


def new_connection(connection_id: str, event: Event, record: CompanyRecord | None) -> Connection | None:
    """The connection that ``event`` is the first to name; ``None`` if the event does not introduce one.

    It takes over the merchant and the deletion of its company.
    """
    if isinstance(event, (UnhandledEvent, QuestionUnanswered)):
        return None
    record = record or NO_RECORD
    company_id = event.company.id if event.company else None
    connection = Connection(connection_id, company_id=company_id, merchant_id=record.merchant_id)
    if record.deleted_at is None:
        return connection
    deletion = Fact(FactKind.DELETED, record.deleted_at, event.received_at, record.deleted_by or "")
    return connection.with_facts([deletion])
