"""Percentiles of what was measured."""

from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` (0 to 1) of all ``values`` do not exceed. Raises ``IndexError`` if empty."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
