"""When an attempt is made again, and what slows a lane. The numbers are those of the contract. Pure."""

from collections.abc import Callable
from datetime import datetime, timedelta

RETRIES = tuple(
    timedelta(seconds=seconds) for seconds in (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 10 * 3600)
)
"""How long after each failed attempt the next is made; after the last one it is a dead letter."""

JITTER = 0.1
"""Each pause is longer by up to this part of it, so that not everything comes back at once."""

LONGEST_WISH = timedelta(hours=24)
"""The longest pause that a receiver may ask for by ``Retry-After``."""

AT_ONCE = 10
"""Attempts under way in one lane."""

SLOW_AFTER = 10
"""After so many failures in a row a lane is only probed: one attempt at a time, with pauses."""

PROBE_PAUSE = timedelta(seconds=10)
LONGEST_PROBE_PAUSE = timedelta(minutes=5)
"""Pauses between probes double from the one to the other."""

PAUSE_AFTER = timedelta(days=5)
"""A lane in which nothing succeeded for so long since its first failure is paused."""


def next_attempt(
    tries: int, now: datetime, *, wish: timedelta | None = None, chance: Callable[[], float]
) -> datetime | None:
    """When to try again after ``tries`` earlier attempts and one more that failed now; ``None``: never.

    ``wish`` is what the receiver asked for; it can only make the pause longer. ``chance`` gives a
    number from 0 to 1.
    """
    if tries >= len(RETRIES):
        return None
    pause = RETRIES[tries] * (1 + JITTER * chance())
    return now + max(pause, min(wish or pause, LONGEST_WISH))
