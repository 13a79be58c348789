"""When a delivery is attempted again, and what slows a lane. Pure."""

from collections.abc import Callable
from datetime import datetime, timedelta

from processor.delivery.lane import LaneState, Mode

RETRIES = tuple(
    timedelta(seconds=seconds) for seconds in (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 10 * 3600)
)
"""Pause after each failed attempt; after the last one the delivery is a dead letter."""

JITTER = 0.1
"""Largest random addition to a pause, as a share of it: retries of one outage spread out."""

LONGEST_RETRY_AFTER = timedelta(hours=24)
"""Longest pause that a receiver may ask for by ``Retry-After``."""

AT_ONCE = 10
"""Attempts under way in one lane; more where its receiver is quick (see ``in_flight``)."""

SLOW_AFTER = 10
"""Failures in a row after which a lane is only probed: one attempt at a time, with pauses."""

PROBE_PAUSE = timedelta(seconds=10)
LONGEST_PROBE_PAUSE = timedelta(minutes=5)
"""Pauses between probes double from the first to the second."""

PAUSE_AFTER = timedelta(days=5)
"""A lane without a success for this long since its first failure is paused."""


def next_attempt(
    tries: int, now: datetime, *, retry_after: timedelta | None, chance: Callable[[], float]
) -> datetime | None:
    """When to try again after ``tries`` earlier attempts and one that failed now; ``None``: never.

    ``retry_after``, the receiver's request, can only make the pause longer. ``chance`` returns 0 to 1.
    """
    if tries >= len(RETRIES):
        return None
    pause = RETRIES[tries] * (1 + JITTER * chance())
    return now + max(pause, min(retry_after or pause, LONGEST_RETRY_AFTER))


def is_slow(state: LaneState) -> bool:
    """Whether the failures of a lane make it slow."""
    return state.mode is Mode.SLOW or state.failures >= SLOW_AFTER
