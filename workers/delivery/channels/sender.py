"""What the senders of all channels have in common."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from processor.clock import to_iso
from processor.delivery.lane import AttemptVerdict, Lease


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """The result of one attempt.

    ``status`` is the receiver's status code, if any; ``retry_after`` the pause that it asked for. ``counts``:
    a failure counts against the lane, not against this delivery alone.
    """

    verdict: AttemptVerdict
    duration_ms: int
    status: int | None = None
    excerpt: str = ""
    error: str | None = None
    retry_after: timedelta | None = None
    counts: bool = True

    def record(self, lease: Lease, began: datetime, verdict: AttemptVerdict) -> dict[str, Any]:
        """The stored form of the attempt; ``verdict`` is what it means for the delivery."""
        sent = verdict in (AttemptVerdict.DELIVERED, AttemptVerdict.UNCERTAIN)
        return {
            "at": to_iso(began),
            "status_code": self.status,
            "duration_ms": self.duration_ms,
            "answer": self.excerpt,
            "error": self.error,
            "outcome": verdict.value if sent else "failed",
            "id": lease.notification_id,
        }


def undeliverable(error: str) -> AttemptResult:
    """The result of a delivery that nobody can get; that is no failure of its lane."""
    return AttemptResult(AttemptVerdict.DEAD, 0, error=error, counts=False)


class Sender(Protocol):
    """Attempts the deliveries of a channel. Raises only for bugs, and ``redis.RedisError``."""

    @property
    def awaiting_reply(self) -> int:
        """The number of attempts that have sent everything and await a reply that may take minutes."""
        return 0

    def prepare(self) -> None:
        """Do slow preparations before the first attempt."""
        return

    def close(self) -> None:
        """Close what the attempts left open, in their event loop."""
        return

    async def deliver(self, lease: Lease) -> AttemptResult:
        """Make one attempt."""
        ...
