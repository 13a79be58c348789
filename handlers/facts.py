"""What we know about a connection: facts, and the claims that are not facts yet.

A fact is something that happened at a time of Codat's clock. Facts are a set:
adding one twice changes nothing, and the order of adding changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from handlers.events import Aspect, LinkStatus, Problem

COMPLETE = "Complete"
AUTH_ERROR = "AuthError"
NOT_SUPPORTED = "NotSupported"
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
"""An exact change outranks what we saw this close to it."""

API_LAG = timedelta(seconds=60)
"""Codat's API may show the state of so long ago."""

QUEUED_WITHIN = timedelta(minutes=2)
"""A first sync is queued with the authorisation, and Codat's API shows that after so long at the latest."""

AT_ONCE = timedelta(minutes=15)
"""Access that ends so soon after a first sync ended with it: the connector was set to be read once."""

CLAIM_WINDOW = timedelta(minutes=3)
"""A legacy alert is given up after about two minutes, so the change that it
claims lies at most this far before its arrival."""


class FactKind(StrEnum):
    """The kinds of facts, in the order of cause: how facts of one moment are sorted."""

    CREATED = "created"
    FAILED = "failed"
    LINKED = "linked"
    READ = "read"
    ORDINARY_READ = "ordinary read"
    ENDED = "ended"
    RELINKED = "relinked"
    SEEN = "seen"
    DELETED = "deleted"


_ORDER = {kind: position for position, kind in enumerate(FactKind)}


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact. ``at`` is Codat's time, ``known_at`` ours.

    ``status``: what was seen, or the reason of an end. ``types``: data type and
    dataset status of each type that a read covered, sorted; an empty read means
    "at least one type succeeded, which is not said". ``claimed``: a legacy alert
    taken at its word because Codat could not be asked, or a failure that Codat's API shows
    and no message told. ``old``: the status before, as an alert says that is taken at its word.
    ``requested``, for a read that Codat's history showed: when each data type was
    requested, which tells to which authorisation it belongs.
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
        """What makes two facts the same one, whoever told them."""
        return (self.kind, self.at, self.status, self.types, self.claimed)

    @property
    def order(self) -> tuple[object, ...]:
        """The place of the fact among others: by time, then by cause, then by content.

        Looks of one second (Codat's clock shows no less) come in the order of asking.
        """
        asked = self.known_at if self.kind is FactKind.SEEN else self.at
        return (self.at, _ORDER[self.kind], asked, self.status or "", self.types, self.claimed)

    @property
    def link(self) -> LinkStatus | None:
        """The link status that holds after this change; ``None`` where it says none."""
        if self.kind in (FactKind.LINKED, FactKind.RELINKED):
            return LinkStatus.LINKED
        return self.status if self.kind in (FactKind.ENDED, FactKind.SEEN) else None


@dataclass(frozen=True, slots=True)
class Claim:
    """A legacy alert that waits for Codat's answer.

    ``arrived_at`` is when the alert came, or what it says happened where it says when; ``since`` is when
    we began to ask (ours).
    ``new`` is ``None`` for the claim that the initial read is complete, or, if ``ordinary``, that something
    was read of a connection of which we know no access.
    """

    event_id: str
    arrived_at: datetime
    since: datetime
    old: LinkStatus | None = None
    new: LinkStatus | None = None
    ordinary: bool = False

    @property
    def aspect(self) -> Aspect:
        """What has to be asked."""
        return Aspect.HISTORY if self.new is None and not self.ordinary else Aspect.CONNECTION


@dataclass(frozen=True, slots=True)
class DataType:
    """The newest outcome of one data type, by Codat's time.

    ``timed`` is false where a legacy alert told it, whose arrival stands for the
    time. ``progress`` is 0 to 100, and 100 as soon as reading has ended, well or badly.
    """

    name: str
    status: str
    at: datetime
    timed: bool = True
    progress: int = 100
    message: str | None = None

    def is_newer_than(self, other: "DataType | None") -> bool:
        """Whether this outcome replaces ``other``.

        An untimed one gives way to a timed one that may be its twin: told within
        the claim window before the alert arrived.
        """
        if other is None:
            return True
        if other.timed and not self.timed:
            return self.at > other.at + CLAIM_WINDOW
        if self.timed and not other.timed:
            return self.at >= other.at - CLAIM_WINDOW
        return (self._true_at, self.status) > (other._true_at, other.status)

    @property
    def _true_at(self) -> datetime:
        """When it was so at the earliest: that a read is running is told by Codat's API alone."""
        return self.at - API_LAG if self.progress < 100 else self.at
