"""How many sampled examples a run tries: few at a desk, all of them in continuous integration."""

import os

IN_CI = "CI" in os.environ
DESK_DIVISOR = 5
FEWEST = 20


def examples(in_ci: int) -> int:
    """Number of examples to try where continuous integration tries ``in_ci``."""
    return in_ci if IN_CI else min(in_ci, max(FEWEST, in_ci // DESK_DIVISOR))
