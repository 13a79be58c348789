"""Our webhook consumer at Codat: which messages it has to get, and how it is made there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from processor.alerts.legacy import canonical
from processor.codat.client import CodatClient
from processor.codat.errors import CodatUncertain
from processor.codat.models import WebhookConsumer
from processor.delivery.ssrf import refusal_of_literal
from processor.errors import Conflict, Invalid, NotFound

ADDRESS = "/webhooks/codat"
"""Where this service receives Codat's messages."""

HANDLED = (
    "client.rateLimit.reached",
    "client.rateLimit.reset",
    "company.created",
    "company.deleted",
    "connection.connected",
    "connection.created",
    "connection.deleted",
    "connection.disconnected",
    "connection.failed",
    "connection.reconnected",
    "read.completed",
    "read.completed.initial",
)
"""The event types that this service acts upon, as Codat spells them.
https://docs.codat.io/using-the-api/webhooks/event-types"""

_LEGACY_STATUS = ("DataConnectionStatusChanged",)
_LEGACY_ERROR = "DataSyncStatusChangedToError"

INSTEAD: Mapping[str, Sequence[Sequence[str]]] = {
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
    # After a linking any other read makes us ask for the first sync at once.
    "read.completed.initial": [
        ("read.completed.successful.initial",),
        ("NewCompanySynchronized",),
        ("read.completed",),
        ("read.completed.successful", "read.completed.unsuccessful"),
    ],
    # The legacy generation never tells these; who has chosen it lacks nothing that could be subscribed.
    "company.created": [_LEGACY_STATUS],
    "company.deleted": [_LEGACY_STATUS],
    "connection.failed": [_LEGACY_STATUS],
}
"""For each of them, what tells the same: any one of these groups, complete."""

MOST = 50
"""Consumers that a Codat client may have."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A consumer, and whether it was made now."""

    consumer: WebhookConsumer
    made: bool


def register(
    codat: CodatClient, url: str, *, public_url: str | None = None, force: bool = False
) -> Registered:
    """A consumer at ``url`` for everything that we handle; one that does so already stays as it is.

    Raises ``Invalid`` for an address to which Codat cannot send and, unless ``force``, for one at which
    this service would hardly get its messages; ``Conflict`` when Codat has no room for another, and
    ``CodatError``. ``public_url`` is PUBLIC_URL, which may have a path of its own.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = SplitResult("", "", "", "", "")
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.fragment:
        raise Invalid(errors={"url": ["Must be an http(s) address without a fragment."]})
    doubts = [] if force else _doubts(parts, urlsplit(public_url or "").path.rstrip("/"))
    if doubts:
        raise Invalid(errors={"url": [*doubts, "Codat was not asked; with --force it is in any case."]})
    consumers = codat.list_webhooks()
    if (known := _at(url, consumers)) is not None:
        return Registered(known, made=False)
    if len(consumers) >= MOST:
        raise Conflict(f"Codat takes {MOST} webhook consumers at the most: remove one first.")
    try:
        return Registered(codat.create_webhook(url, HANDLED), made=True)
    except CodatUncertain:
        made = _at(url, codat.list_webhooks())
        if made is None:
            raise
        return Registered(made, made=True)


def _at(url: str, consumers: Sequence[WebhookConsumer]) -> WebhookConsumer | None:
    """The consumer at ``url`` that gets everything that we handle."""
    found = (one for one in consumers if one.url == url and not one.disabled and is_complete(one))
    return next(found, None)


def _doubts(parts: SplitResult, prefix: str) -> list[str]:
    """Why messages would be lost at this address, or read by others on their way."""
    found = []
    if parts.path.rstrip("/") not in (ADDRESS, prefix + ADDRESS):
        found.append(f"This service receives Codat's messages at {ADDRESS}, not at {parts.path or '/'}.")
    if parts.scheme == "http" and refusal_of_literal(parts.hostname or "") is None:
        found.append("With http:// everybody on the way could read what Codat sends: write https://.")
    return found


def is_complete(consumer: WebhookConsumer) -> bool:
    """Whether the consumer gets everything that we handle, of all companies."""
    return not consumer.company_tags and not lacking([consumer])


def lacking(consumers: Iterable[WebhookConsumer]) -> list[str]:
    """The event types that we handle of which the consumers, together, are not told in any spelling."""
    chosen = [consumer.event_types for consumer in consumers]
    if not all(chosen):
        return []  # one without event types gets all of them
    got = {canonical(event_type) for event_types in chosen for event_type in event_types}
    return [
        event_type
        for event_type in HANDLED
        if not any(got.issuperset(map(canonical, group)) for group in ((event_type,), *INSTEAD[event_type]))
    ]


def remove(codat: CodatClient, ids_or_urls: Sequence[str]) -> list[WebhookConsumer]:
    """Remove the consumers with these ids or addresses; those that are gone.

    Raises ``NotFound``, and removes nothing, where one of them is unknown.
    """
    consumers = codat.list_webhooks()
    chosen: dict[str, WebhookConsumer] = {}
    for named in ids_or_urls:
        found = [consumer for consumer in consumers if named in (consumer.id, consumer.url)]
        if not found:
            raise NotFound(f"Codat has no webhook consumer {named}.")
        chosen |= {consumer.id: consumer for consumer in found}
    for consumer_id in chosen:
        codat.delete_webhook(consumer_id)
    return list(chosen.values())
