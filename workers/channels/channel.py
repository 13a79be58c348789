"""What every road out has in common."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from processor.delivery.lane import Claimed, Verdict


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one attempt.

    ``status`` is the receiver's code, if there was one; ``wish`` the pause it asked for. ``counts``:
    a failure speaks against the lane as a whole and not against this delivery alone.
    """

    verdict: Verdict
    duration_ms: int
    status: int | None = None
    excerpt: str = ""
    error: str | None = None
    wish: timedelta | None = None
    counts: bool = True


class Channel(Protocol):
    """Carries deliveries. Raises only for faults of ours."""

    def prepare(self) -> None:
        """Make ready what takes a moment, before the first attempt."""
        ...

    async def deliver(self, claimed: Claimed) -> Result:
        """Make one attempt."""
        ...
