"""How many sampled examples a run tries: few at a desk, all of them in continuous integration."""

import os
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")

IN_CI = "CI" in os.environ
DESK_DIVISOR = 40
FEWEST = 5


def examples(in_ci: int, *, fewest: int = FEWEST) -> int:
    """Number of examples to try where continuous integration tries ``in_ci``."""
    return in_ci if IN_CI else min(in_ci, max(fewest, in_ci // DESK_DIVISOR))


def part(items: Iterable[T], divisor: int = DESK_DIVISOR) -> list[T]:
    """All items in continuous integration, every ``divisor``-th at a desk."""
    return list(items)[:: 1 if IN_CI else divisor]
