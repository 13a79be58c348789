"""One attempt at a delivery: send, decide about a retry, settle, log."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec
from redis import RedisError

from processor.delivery import retry_schedule
from processor.delivery.channels.registry import channel_of
from processor.delivery.lane import AttemptVerdict, CompletedAttempt, Lane, Lease
from processor.delivery.lanes import Lanes
from processor.runtime import tracing
from processor.store.metrics import Metrics
from workers.delivery.channels.sender import AttemptResult, Sender

_log = logging.getLogger(__name__)


class _Decision(msgspec.Struct):
    """The part of a notification that says when it was decided."""

    timestamp: datetime | None = None


_DECISION = msgspec.json.Decoder(_Decision)


class AttemptRunner:
    """Makes attempts with ``senders``, by the name of their channel.

    ``chance`` returns 0 to 1, for the jitter of retries.
    """

    def __init__(
        self,
        lanes: Lanes,
        senders: Mapping[str, Sender],
        *,
        clock: Callable[[], datetime],
        chance: Callable[[], float] = random.random,
        metrics: Metrics | None = None,
    ) -> None:
        self._lanes = lanes
        self._senders = senders
        self._clock = clock
        self._chance = chance
        self._metrics = metrics or Metrics()

    def prepare(self) -> None:
        """Prepare all senders. Raises what a sender raises."""
        for sender in self._senders.values():
            sender.prepare()

    def close(self) -> None:
        """Close what the senders left open, in the event loop of the attempts."""
        for sender in self._senders.values():
            sender.close()

    def awaiting_reply(self, lane: Lane) -> int:
        """The number of attempts in a lane's channel that have sent everything and await a reply."""
        sender = self._senders.get(channel_of(lane.id).name)
        return sender.awaiting_reply if sender else 0

    async def run(self, lease: Lease) -> CompletedAttempt:
        """Make one attempt, which the caller records. Raises ``redis.RedisError``."""
        began = self._clock()
        result = await self._send(lease)
        verdict, next_attempt_at = self._decide(lease, result)
        _log_attempt(lease, verdict, result)
        if tracing.is_on():
            self._trace(lease, verdict, result, began)
        if not lease.lane.is_test and verdict is not AttemptVerdict.CANCELLED:
            self._count(lease, verdict, result)
        return CompletedAttempt(
            lease,
            verdict,
            result.record(lease, began, verdict),
            next_attempt_at,
            counts=result.counts,
            asked=result.retry_after is not None,
        )

    def _trace(self, lease: Lease, verdict: AttemptVerdict, result: AttemptResult, began: datetime) -> None:
        event_id = lease.log_fields["event_id"]
        tracing.record(
            "deliver",
            event_id if isinstance(event_id, str) else None,
            began,
            self._clock(),
            span_id=tracing.attempt_span_id(lease.notification_id, lease.lane.id, lease.tries),
            is_error=verdict not in (AttemptVerdict.DELIVERED, AttemptVerdict.CANCELLED),
            notification_id=lease.notification_id,
            lane=lease.lane.id,
            verdict=verdict.value,
            status_code=result.status,
        )

    def _count(self, lease: Lease, verdict: AttemptVerdict, result: AttemptResult) -> None:
        lag_s = None
        if verdict is AttemptVerdict.DELIVERED and (at := _DECISION.decode(lease.body).timestamp):
            lag_s = (self._clock() - at).total_seconds()
        channel, seconds = channel_of(lease.lane.id).name, result.duration_ms / 1000
        self._metrics.attempted(lease.lane.id, channel, verdict.value, seconds, lag_s)

    async def _send(self, lease: Lease) -> AttemptResult:
        """The result of the sender; a bug in it counts as a failed attempt, but not against the lane."""
        try:
            return await self._senders[channel_of(lease.lane.id).name].deliver(lease)
        except asyncio.CancelledError:
            self._lanes.release(lease)
            raise
        except RedisError:
            raise
        except Exception as error:
            _log.exception("an attempt failed because of a bug", extra=lease.log_fields)
            text = f"a fault of ours: {type(error).__name__}"
            return AttemptResult(AttemptVerdict.AGAIN, 0, error=text, counts=False)

    def _decide(self, lease: Lease, result: AttemptResult) -> tuple[AttemptVerdict, datetime | None]:
        """The verdict on the delivery, and the time of the next attempt where one follows."""
        if result.verdict is AttemptVerdict.AGAIN:
            next_attempt_at = retry_schedule.next_attempt(
                lease.tries, self._clock(), retry_after=result.retry_after, chance=self._chance
            )
            if next_attempt_at is None or lease.lane.is_test:
                return AttemptVerdict.DEAD, None
            return AttemptVerdict.AGAIN, next_attempt_at
        if result.verdict is AttemptVerdict.GONE and lease.lane.is_test:
            return AttemptVerdict.DEAD, None
        return result.verdict, None


def _log_attempt(lease: Lease, verdict: AttemptVerdict, result: AttemptResult) -> None:
    if verdict is AttemptVerdict.DELIVERED and not _log.isEnabledFor(logging.INFO):
        return
    fields = {
        **lease.log_fields,
        "verdict": verdict.value,
        "status_code": result.status,
        "duration_ms": result.duration_ms,
    }
    if verdict is AttemptVerdict.DELIVERED:
        _log.info("a notification was delivered", extra=fields)
    elif verdict is AttemptVerdict.CANCELLED:
        _log.info("a notification is not sent any more", extra={**fields, "reason": result.error})
    elif verdict is AttemptVerdict.UNCERTAIN:
        _log.warning("a delivery is uncertain: not answered", extra={**fields, "error": result.error})
    else:
        _log.warning("a delivery failed", extra={**fields, "error": result.error})


def warn_unrecorded(lease: Lease, error: RedisError) -> None:
    """Log that Redis did not record an attempt."""
    _log.warning(
        "an attempt could not be recorded and will be repeated",
        extra={**lease.log_fields, "error": repr(error)},
    )
