"""Signed webhooks to subscribers."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from processor.clock import utc_now
from processor.codat.http_headers import pause_s
from processor.container import Container
from processor.delivery.http_sender import HttpSender
from processor.delivery.lane import AttemptVerdict, Lease
from processor.delivery.signing import signed_headers
from processor.delivery.subscribers import Subscriber
from processor.runtime import tracing
from processor.runtime.logs import Redactor
from workers.delivery.channels.sender import AttemptResult, Sender, undeliverable

LOOKUPS = 64
"""Host names that are resolved at a time, in threads: a lookup that hangs delays no other."""


class WebhookSender(Sender):
    """Posts notifications to subscribers: 2xx is success, 410 ends the subscription.

    Without a response a notification is sent again: the subscriber recognises a copy by its id.
    """

    def __init__(self, http: HttpSender, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._http = http
        self._clock = clock

    def prepare(self) -> None:
        """Load the trusted authorities."""
        self._http.prepare()

    def close(self) -> None:
        """Close the connections to receivers."""
        self._http.close()

    async def deliver(self, lease: Lease) -> AttemptResult:
        """Make one attempt."""
        subscriber = lease.lane.subscriber
        if subscriber is None:
            return undeliverable("there is no such subscriber any more")
        now = self._clock()
        signed = signed_headers(lease.notification_id, lease.body, now, subscriber.signing_keys(now))
        headers = {**subscriber.headers, "Content-Type": "application/json", **signed}
        event_id = lease.log_fields["event_id"] if subscriber.traceparent else None
        if isinstance(event_id, str):
            span_id = tracing.attempt_span_id(lease.notification_id, lease.lane.id, lease.tries)
            headers = {name: value for name, value in headers.items() if name.lower() != "traceparent"}
            headers["traceparent"] = tracing.traceparent(event_id, span_id)
        response = await self._http.post(subscriber.url, lease.body.encode(), headers, owner=subscriber.id)
        retry_after_s = pause_s(response.retry_after, self._clock())
        return AttemptResult(
            _verdict(response.status),
            response.duration_ms,
            status=response.status,
            excerpt=response.excerpt and _redactor(subscriber)(response.excerpt),
            error=response.error or _error(response.status),
            retry_after=None if retry_after_s is None else timedelta(seconds=retry_after_s),
        )


def webhook_sender(container: Container) -> WebhookSender:
    """The sender with the collaborators of ``container``."""
    http = HttpSender(
        allow_private=container.settings.allow_private_subscribers,
        allow_http=container.settings.allow_http_subscribers,
        lookups=ThreadPoolExecutor(LOOKUPS, thread_name_prefix="lookup"),
    )
    return WebhookSender(http, clock=container.clock)


def _redactor(subscriber: Subscriber) -> Redactor:
    """Masks what only we and the receiver know: some receivers repeat the request in their answer."""
    values = [value for _, value in parse_qsl(urlsplit(subscriber.url).query)]
    for value in subscriber.headers.values():
        values += [value, value.rpartition(" ")[2]]
    return Redactor(values)


def _verdict(status: int | None) -> AttemptVerdict:
    if status is not None and 200 <= status < 300:
        return AttemptVerdict.DELIVERED
    return AttemptVerdict.GONE if status == HTTPStatus.GONE else AttemptVerdict.AGAIN


def _error(status: int | None) -> str | None:
    if status is None or 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return "redirects are not followed"
    return f"answered {status}"
