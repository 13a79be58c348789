"""What every road out has in common."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from processor.clock import to_iso
from processor.delivery.lane import AttemptVerdict, Lease


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one attempt.

    ``status`` is the receiver's code, if there was one; ``wish`` the pause it asked for. ``counts``:
    a failure speaks against the lane as a whole and not against this delivery alone.
    """

    verdict: AttemptVerdict
    duration_ms: int
    status: int | None = None
    excerpt: str = ""
    error: str | None = None
    wish: timedelta | None = None
    counts: bool = True

    def attempt(self, claimed: Lease, began: datetime, verdict: AttemptVerdict) -> dict[str, Any]:
        """The attempt as it is kept; ``verdict`` is what it means for the delivery."""
        told = verdict in (AttemptVerdict.DELIVERED, AttemptVerdict.UNCERTAIN)
        return {
            "at": to_iso(began),
            "status_code": self.status,
            "duration_ms": self.duration_ms,
            "answer": self.excerpt,
            "error": self.error,
            "outcome": verdict.value if told else "failed",
            "id": claimed.notification_id,
        }


class Channel(Protocol):
    """Carries deliveries. Raises only for faults of ours, and ``redis.RedisError``."""

    @property
    def begun(self) -> int:
        """How many attempts have sent everything and wait for an answer that may take minutes."""
        ...

    def prepare(self) -> None:
        """Make ready what takes a moment, before the first attempt."""
        ...

    async def deliver(self, claimed: Lease) -> Result:
        """Make one attempt."""
        ...
