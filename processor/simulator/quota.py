"""The quota of API calls: https://docs.codat.io/using-the-api/rate-limits"""

from datetime import UTC, datetime, timedelta

from flask import Response

from processor.simulator.times import Clock
from processor.simulator.world import World

_CALLS_PER_COMPANY = 1_000


class SimulatedQuota:
    """Counts the calls since midnight (UTC) against the limit."""

    def __init__(self, clock: Clock, world: World) -> None:
        self._clock, self._world = clock, world
        self._day = ""
        self._calls = 0

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), tz=UTC)

    def count(self) -> None:
        with self._world.lock:
            today = f"{self._now():%Y-%m-%d}"
            self._calls = self._calls + 1 if today == self._day else 1
            self._day = today

    def add_headers(self, response: Response) -> None:
        with self._world.lock:
            active = sum(company.is_active for company in self._world.companies())
            limit = _CALLS_PER_COMPANY * (1 + active)
            midnight = self._now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
            response.headers["X-Rate-Limit-Limit"] = str(limit)
            response.headers["X-Rate-Limit-Remaining"] = str(max(0, limit - self._calls))
            response.headers["X-Rate-Limit-Reset"] = str(int(midnight.timestamp()))
