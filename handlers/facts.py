"""Facts about a connection, claims that are not facts yet, and the outcome per data type.

``handlers.fold`` explains how they become a state.
"""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from handlers.events import Aspect, LinkStatus, Problem
from handlers.records import dataclass

COMPLETE = "Complete"
AUTH_ERROR = "AuthError"
NOT_SUPPORTED = "NotSupported"
_PAUSED = re.compile(r"Paused until ([0-9T:.Z+-]{10,40})", re.IGNORECASE)
FAILED_STATUSES = frozenset(
    {
        "FetchError",
        "MapError",
        "InternalError",
        "ProcessingError",
        "ValidationError",
        AUTH_ERROR,
        "RateLimitError",
        "PermissionsError",
        "PrerequisiteNotMet",
        "Cancelled",
    }
)
ENDED_STATUSES = FAILED_STATUSES | {COMPLETE, NOT_SUPPORTED}
RUNNING_STATUSES = frozenset(
    {
        "Initial",
        "Queued",
        "Fetching",
        "MapQueued",
        "Mapping",
        "ProcessingQueued",
        "Processing",
        "ValidationQueued",
        "Validating",
    }
)

SEEN_TOLERANCE = timedelta(seconds=2)
"""An exact change outranks an observation this close to it."""

API_LAG = timedelta(seconds=60)
"""Codat's API may show a state this old."""

QUEUED_WITHIN = timedelta(minutes=2)
"""Codat queues the first sync with the authorisation, and its API shows that within this time."""

AT_ONCE = timedelta(minutes=15)
"""Access that ends this soon after a first sync ended with it: the connector is set to be read once."""

CLAIM_WINDOW = timedelta(minutes=3)
"""Longest time from a change to the arrival of its legacy alert; Codat retries one for about two minutes."""


class FactKind(StrEnum):
    """The kinds of facts; facts of one moment are sorted in this order, causes first."""

    CREATED = "created"
    FAILED = "failed"
    LINKED = "linked"
    READ = "read"
    ORDINARY_READ = "ordinary read"
    ENDED = "ended"
    RELINKED = "relinked"
    SEEN = "seen"
    DELETED = "deleted"


ACCESS_CHANGES = (FactKind.LINKED, FactKind.RELINKED, FactKind.ENDED)
"""The exact facts by which access begins or ends."""

_ORDER = {kind: position for position, kind in enumerate(FactKind)}


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact. ``at`` is Codat's time, ``known_at`` ours.

    ``status`` is the observed status, or the reason of an end. ``types`` are the data types of a read with
    their dataset statuses, sorted; empty means that at least one type succeeded. ``claimed``: a legacy
    alert that was accepted without an answer of Codat, or a failure that Codat's API shows without a message.
    ``old`` is the status before, for such an alert. ``requested`` is when each data type was requested, for
    a read from Codat's read history: it decides to which authorisation the data type belongs.
    """

    kind: FactKind
    at: datetime
    known_at: datetime
    event_id: str
    status: LinkStatus | None = None
    types: tuple[tuple[str, str], ...] = ()
    problem: Problem | None = None
    claimed: bool = False
    old: LinkStatus | None = None
    requested: tuple[tuple[str, datetime], ...] = ()

    @property
    def identity(self) -> tuple[object, ...]:
        """Two facts with the same identity are one, whatever their sources."""
        return (self.kind, self.at, self.status, self.types, self.claimed)

    @property
    def order(self) -> tuple[object, ...]:
        """Sort key: by time, then by cause, then by content.

        Observations of one second, the resolution of Codat's ``Date`` header, are sorted by our clock.
        """
        moment = self.known_at if self.kind is FactKind.SEEN else self.at
        return (self.at, _ORDER[self.kind], moment, self.status or "", self.types, self.claimed)

    @property
    def link_status(self) -> LinkStatus | None:
        """Codat's status after this fact; ``None`` if it implies none."""
        if self.kind in (FactKind.LINKED, FactKind.RELINKED):
            return LinkStatus.LINKED
        return self.status if self.kind in (FactKind.ENDED, FactKind.SEEN) else None


@dataclass(frozen=True, slots=True)
class Claim:
    """What a message claims that Codat has to confirm first.

    ``arrived_at`` is when the message came, or its own time where it has one. ``since`` is the start of
    asking by our clock. ``old`` and ``new`` are the claimed statuses; ``new`` is ``None`` for the claim that
    the initial read is complete or, if ``ordinary``, that data was read from a connection without access.
    """

    event_id: str
    arrived_at: datetime
    since: datetime
    old: LinkStatus | None = None
    new: LinkStatus | None = None
    ordinary: bool = False

    @property
    def aspect(self) -> Aspect:
        """Which question settles the claim."""
        return Aspect.HISTORY if self.new is None and not self.ordinary else Aspect.CONNECTION


@dataclass(frozen=True, slots=True)
class DataType:
    """The newest outcome of one data type, by Codat's time.

    ``timed`` is false for a legacy alert, whose time of arrival is used. ``progress`` is 0 to 100, and 100 as
    soon as reading has ended, successfully or not.
    """

    name: str
    status: str
    at: datetime
    timed: bool = True
    progress: int = 100
    message: str | None = None

    def is_newer_than(self, other: "DataType | None") -> bool:
        """Whether this outcome replaces ``other``.

        An untimed outcome gives way to a timed one of the claim window before, which may be the same read.
        """
        if other is None:
            return True
        if other.timed and not self.timed:
            return self.at > other.at + CLAIM_WINDOW
        if self.timed and not other.timed:
            return self.at >= other.at - CLAIM_WINDOW
        return (self._earliest_at, self.status) > (other._earliest_at, other.status)

    @property
    def paused_until(self) -> datetime | None:
        """Until when Codat pauses a read that is running, as its message says; ``None``: not paused.

        ``Paused until 2022-10-23T00:00:00.000Z``: https://docs.codat.io/core-concepts/status
        """
        paused = _PAUSED.match(self.message or "") if self.status in RUNNING_STATUSES else None
        if paused is None:
            return None
        try:
            until = datetime.fromisoformat(paused[1])
        except ValueError:
            return None
        return (until if until.tzinfo else until.replace(tzinfo=UTC)).astimezone(UTC)

    @property
    def _earliest_at(self) -> datetime:
        """Earliest time at which the outcome held: only Codat's API, which lags, shows a running read."""
        return self.at - API_LAG if self.progress < 100 else self.at
