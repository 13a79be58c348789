"""How much a run tries: a part at a desk, everything in continuous integration."""

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeVar

T = TypeVar("T")

IN_CI = "CI" in os.environ
TURN = "DESK_TURN"
os.environ.setdefault(TURN, str(datetime.now(UTC).toordinal()))  # the workers of pytest-xdist inherit it
DESK_DIVISOR = 40
FEWEST = 5


def examples(in_ci: int, *, fewest: int = FEWEST) -> int:
    """Number of examples to try where continuous integration tries ``in_ci``."""
    return in_ci if IN_CI else min(in_ci, max(fewest, in_ci // DESK_DIVISOR))


def part(items: Iterable[T], divisor: int = DESK_DIVISOR) -> list[T]:
    """All items in continuous integration, every ``divisor``-th at a desk."""
    return list(items)[:: 1 if IN_CI else divisor]


def in_turn(items: Iterable[T], divisor: int) -> list[T]:
    """All items in continuous integration; at a desk every ``divisor``-th, each day from the next one on.

    For what is dear: within ``divisor`` days a desk tries everything too. ``DESK_TURN`` repeats a day.
    """
    return list(items) if IN_CI else list(items)[int(os.environ[TURN]) % divisor :: divisor]
