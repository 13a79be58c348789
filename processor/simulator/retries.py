"""When a message is sent again, and when it is given up: each generation has its own rules.

Current: https://docs.codat.io/using-the-api/webhooks/overview (as Svix retries).
Legacy: https://docs.codat.io/using-the-api/webhooks/legacy/core-rules-types
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from processor.simulator.config import Generation

# Seconds from each failed attempt to the next one.
CURRENT_DELAYS_S = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 36_000.0)
LEGACY_DELAYS_S = (10.0, 30.0, 80.0)
LEGACY_WINDOW_S = 120.0
LEGACY_RETRIED = frozenset({408, 420, 429, 460, 502, 503, 504, 522, 524})


@dataclass(frozen=True, slots=True)
class ReceiverAnswer:
    """What a receiver did: its status, or ``None`` where it gave none, and why in ``error``.

    ``retry_after_s`` is how long it asked to be left alone; ``None``: it did not say.
    """

    status: int | None
    error: str | None = None
    retry_after_s: float | None = None

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def next_delay_s(generation: Generation, attempt: int, answer: ReceiverAnswer, scale: float) -> float | None:
    """Seconds until the next attempt after ``attempt`` (from 1); ``None``: it was delivered, or is given up.

    ``scale`` multiplies the schedule, but not what the receiver asked for with ``Retry-After``.
    """
    if answer.is_success:
        return None
    delays_s = LEGACY_DELAYS_S if generation is Generation.LEGACY else CURRENT_DELAYS_S
    if attempt > len(delays_s):
        return None
    if generation is Generation.LEGACY:
        if answer.status is not None and answer.status not in LEGACY_RETRIED:
            return None
        if answer.retry_after_s is not None:
            return min(answer.retry_after_s, LEGACY_WINDOW_S)
    return delays_s[attempt - 1] * scale


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """``Retry-After`` as seconds from ``now``; ``None`` where it is missing or cannot be read."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
