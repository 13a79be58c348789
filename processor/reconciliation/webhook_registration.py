"""The webhook consumer at Codat that sends us messages: its event types, registration and removal."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from processor.alerts.current import READERS
from processor.alerts.legacy import canonical
from processor.codat.client import CodatClient
from processor.codat.errors import CodatUncertain
from processor.codat.models import WebhookConsumer
from processor.delivery.ssrf import refusal_of_literal
from processor.errors import Conflict, Invalid, NotFound

WEBHOOK_PATH = "/webhooks/codat"
"""The path at which this service receives Codat's messages."""

HANDLED = tuple(sorted(READERS))
"""The event types that this service handles.
https://docs.codat.io/using-the-api/webhooks/event-types"""

_LEGACY_STATUS = ("DataConnectionStatusChanged",)
_LEGACY_ERROR = "DataSyncStatusChangedToError"

ALTERNATIVES: Mapping[str, Sequence[Sequence[str]]] = {
    "client.rateLimit.reached": [("ClientRateLimitReached",), ("RateLimitReached",)],
    "client.rateLimit.reset": [("ClientRateLimitReset",), ("RateLimitReset",)],
    "connection.connected": [_LEGACY_STATUS],
    "connection.created": [_LEGACY_STATUS],
    "connection.deleted": [("SyncConnectionDeleted",)],
    "connection.disconnected": [_LEGACY_STATUS],
    "connection.reconnected": [_LEGACY_STATUS],
    "read.completed": [
        ("read.completed.successful", "read.completed.unsuccessful"),
        ("DataSyncCompleted", _LEGACY_ERROR),
        ("DatasetDataChanged", _LEGACY_ERROR),
    ],
    # The first read of any other kind after an authorisation makes us ask Codat for the first sync.
    "read.completed.initial": [
        ("read.completed.successful.initial",),
        ("NewCompanySynchronized",),
        ("read.completed",),
        ("read.completed.successful", "read.completed.unsuccessful"),
    ],
    # The legacy generation has no such event types: a consumer of it lacks nothing that it could get.
    "company.created": [_LEGACY_STATUS],
    "company.deleted": [_LEGACY_STATUS],
    "connection.failed": [_LEGACY_STATUS],
    # Consumers from before June 2026 lack these, and do without: Codat is asked when products matter.
    "company.product.added": [()],
    "company.product.removed": [()],
}
"""The groups of other types that replace a handled event type; one complete group is enough."""

MAX_CONSUMERS = 50
"""Consumers that a Codat client may have."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A consumer, and whether it was created now."""

    consumer: WebhookConsumer
    is_new: bool


def register(
    codat: CodatClient, url: str, *, public_url: str | None = None, force: bool = False
) -> Registration:
    """Register a consumer at ``url`` for every handled event type, or return the one that exists.

    Raises ``Invalid`` for a URL to which Codat cannot send and, unless ``force``, for one at which this
    service would hardly receive messages; ``Conflict`` if Codat takes no more consumers; ``CodatError``.
    ``public_url`` is PUBLIC_URL, which may have a path of its own.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = SplitResult("", "", "", "", "")
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.fragment:
        raise Invalid(errors={"url": ["Must be an http(s) address without a fragment."]})
    objections = [] if force else _objections(parts, urlsplit(public_url or "").path.rstrip("/"))
    if objections:
        raise Invalid(errors={"url": [*objections, "Codat was not asked; with --force it is in any case."]})
    consumers = codat.list_webhooks()
    if (consumer := _find_complete(url, consumers)) is not None:
        return Registration(consumer, is_new=False)
    if len(consumers) >= MAX_CONSUMERS:
        raise Conflict(f"Codat takes {MAX_CONSUMERS} webhook consumers at the most: remove one first.")
    try:
        return Registration(codat.create_webhook(url, HANDLED), is_new=True)
    except CodatUncertain:
        consumer = _find_complete(url, codat.list_webhooks())
        if consumer is None:
            raise
        return Registration(consumer, is_new=True)


def _find_complete(url: str, consumers: Sequence[WebhookConsumer]) -> WebhookConsumer | None:
    """The enabled consumer at ``url`` that gets every handled event type."""
    complete = (
        consumer
        for consumer in consumers
        if consumer.url == url and not consumer.disabled and is_complete(consumer)
    )
    return next(complete, None)


def _objections(parts: SplitResult, prefix: str) -> list[str]:
    """Reasons why messages to this URL would be lost, or could be read on the way."""
    objections = []
    if parts.path.rstrip("/") not in (WEBHOOK_PATH, prefix + WEBHOOK_PATH):
        objections.append(
            f"This service receives Codat's messages at {WEBHOOK_PATH}, not at {parts.path or '/'}."
        )
    if parts.scheme == "http" and refusal_of_literal(parts.hostname or "") is None:
        objections.append("With http:// everybody on the way could read what Codat sends: write https://.")
    return objections


def is_complete(consumer: WebhookConsumer) -> bool:
    """Whether the consumer gets every handled event type, of all companies."""
    return not consumer.company_tags and not missing_event_types([consumer])


def missing_event_types(consumers: Iterable[WebhookConsumer]) -> list[str]:
    """The handled event types that the consumers together do not get, in any spelling or replacement."""
    selections = [consumer.event_types for consumer in consumers]
    if not all(selections):
        return []  # a consumer without event types gets all of them
    selected = {canonical(event_type) for event_types in selections for event_type in event_types}
    return [
        event_type
        for event_type in HANDLED
        if not any(
            selected.issuperset(map(canonical, group))
            for group in ((event_type,), *ALTERNATIVES.get(event_type, ()))
        )
    ]


def remove(codat: CodatClient, ids_or_urls: Sequence[str]) -> list[WebhookConsumer]:
    """Remove the consumers with these ids or URLs and return them.

    Raises ``NotFound``, and removes nothing, if one of them is unknown.
    """
    consumers = codat.list_webhooks()
    selected: dict[str, WebhookConsumer] = {}
    for id_or_url in ids_or_urls:
        matches = [consumer for consumer in consumers if id_or_url in (consumer.id, consumer.url)]
        if not matches:
            raise NotFound(f"Codat has no webhook consumer {id_or_url}.")
        selected |= {consumer.id: consumer for consumer in matches}
    for consumer_id in selected:
        codat.delete_webhook(consumer_id)
    return list(selected.values())
