"""The quota of API calls: https://docs.codat.io/using-the-api/rate-limits"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from flask import Response

if TYPE_CHECKING:
    from processor.simulator.simulation import Simulation

_CALLS_PER_COMPANY = 1_000


class SimulatedQuota:
    """Counts the calls since midnight (UTC) against the limit."""

    def __init__(self, simulation: "Simulation") -> None:
        self._simulation = simulation
        self._day = ""
        self._calls = 0

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._simulation.clock(), tz=UTC)

    def count(self) -> None:
        with self._simulation.lock:
            today = f"{self._now():%Y-%m-%d}"
            self._calls = self._calls + 1 if today == self._day else 1
            self._day = today

    def add_headers(self, response: Response) -> None:
        with self._simulation.lock:
            active = sum(company.is_active for company in self._simulation.world.companies())
            limit = _CALLS_PER_COMPANY * (1 + active)
            midnight = self._now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
            response.headers["X-Rate-Limit-Limit"] = str(limit)
            response.headers["X-Rate-Limit-Remaining"] = str(max(0, limit - self._calls))
            response.headers["X-Rate-Limit-Reset"] = str(int(midnight.timestamp()))
