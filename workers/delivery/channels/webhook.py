"""Signed webhooks to subscribers."""

from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus

from processor.clock import utc_now
from processor.codat.http_headers import pause_s
from processor.delivery.http_sender import HttpSender
from processor.delivery.lane import AttemptVerdict, Lease
from processor.delivery.signing import signed_headers
from workers.delivery.channels.channel import Result


class Webhook:
    """Posts a notification to its subscriber: 2xx is success, 410 the end of the subscription.

    Without an answer it is sent again: by its id the subscriber recognises what it has.
    """

    begun = 0

    def __init__(self, outgoing: HttpSender, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._outgoing = outgoing
        self._clock = clock

    def prepare(self) -> None:
        """Make ready what takes a moment."""
        self._outgoing.prepare()

    async def deliver(self, claimed: Lease) -> Result:
        """Make one attempt."""
        subscriber = claimed.lane.subscriber
        if subscriber is None:
            return Result(AttemptVerdict.DEAD, 0, error="there is no such subscriber any more", counts=False)
        now = self._clock()
        signed = signed_headers(claimed.notification_id, claimed.body, now, subscriber.signing_keys(now))
        headers = {**subscriber.headers, "Content-Type": "application/json", **signed}
        answer = await self._outgoing.post(subscriber.url, claimed.body.encode(), headers)
        wished_s = pause_s(answer.retry_after, self._clock())
        return Result(
            _verdict(answer.status),
            answer.duration_ms,
            status=answer.status,
            excerpt=answer.excerpt,
            error=answer.error or _error(answer.status),
            wish=None if wished_s is None else timedelta(seconds=wished_s),
        )


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
