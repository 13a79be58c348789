"""Every history that Codat could have for one connection, and what is true of it.

The truth is stepped in order, change by change, by the plain words of the
specification. It knows nothing of facts or of a fold.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from handlers.events import LinkStatus
from handlers.milestones import NotificationType
from handlers.state import State

BASE = datetime(2026, 3, 2, 9, 0, 0, 347000, tzinfo=UTC)


class Did(StrEnum):
    """What can happen to a connection."""

    CREATED = "created"
    FAILED = "failed"
    LINKED = "linked"
    READ_ALL = "read_all"
    READ_SOME = "read_some"
    READ_NONE = "read_none"
    READ_MORE = "read_more"
    """An ordinary read: no milestone, only the newest outcome of a data type."""
    UNLINKED = "unlinked"
    DEAUTHORIZED = "deauthorized"
    RELINKED = "relinked"
    DELETED = "deleted"


INITIAL_READS: dict[Did, tuple[tuple[str, str], ...]] = {
    Did.READ_ALL: (("bills", "Complete"), ("invoices", "Complete")),
    Did.READ_SOME: (("bills", "FetchError"), ("invoices", "Complete")),
    # NotSupported is no failure, but it is no success either.
    Did.READ_NONE: (("bills", "NotSupported"), ("invoices", "MapError")),
}
ENDS = {Did.UNLINKED: LinkStatus.UNLINKED, Did.DEAUTHORIZED: LinkStatus.DEAUTHORIZED}
_END_NOTICES = {Did.UNLINKED: NotificationType.UNLINKED, Did.DEAUTHORIZED: NotificationType.DEAUTHORIZED}
_END_STATES = {LinkStatus.UNLINKED: State.UNLINKED, LinkStatus.DEAUTHORIZED: State.DEAUTHORIZED}


@dataclass(frozen=True)
class Change:
    """One change: what, when by Codat's clock, and for reads the outcome per data type."""

    did: Did
    at: datetime
    types: tuple[tuple[str, str], ...] = ()

    @property
    def is_initial_read(self) -> bool:
        """Whether it is the first read after an authorisation, of one Codat product."""
        return self.did in INITIAL_READS

    @property
    def succeeded(self) -> bool:
        """Whether it read at least one data type."""
        return any(status == "Complete" for _, status in self.types)


def status_after(status: LinkStatus | None, did: Did) -> LinkStatus | None:
    """Codat's status after a change; ``None`` once the connection is deleted."""
    if did is Did.DELETED:
        return None
    if did in (Did.LINKED, Did.RELINKED):
        return LinkStatus.LINKED
    return ENDS.get(did, status)


def allowed(status: LinkStatus | None, *, is_first: bool, ordinary_reads: bool = False) -> tuple[Did, ...]:
    """What Codat lets happen next.

    A history may begin without its creation: the connection may be older than the service.
    """
    if status is None:
        return ()
    if status is LinkStatus.LINKED:
        reads = (Did.READ_ALL, Did.READ_SOME, Did.READ_NONE)
        more = (Did.READ_MORE,) if ordinary_reads else ()
        return (*reads, Did.DEAUTHORIZED, Did.UNLINKED, *more, Did.DELETED)
    if status is LinkStatus.PENDING:
        return (*((Did.CREATED,) if is_first else ()), Did.LINKED, Did.FAILED, Did.DELETED)
    return (Did.RELINKED, Did.FAILED, Did.DELETED)


def all_histories(length: int) -> Iterator[tuple[Did, ...]]:
    """Every history of exactly ``length`` changes, without times."""

    def grow(done: tuple[Did, ...], status: LinkStatus | None) -> Iterator[tuple[Did, ...]]:
        if len(done) == length:
            yield done
            return
        for did in allowed(status, is_first=not done):
            yield from grow((*done, did), status_after(status, did))

    yield from grow((), LinkStatus.PENDING)


def status_at(changes: Sequence[Change], moment: datetime) -> LinkStatus | None:
    """What Codat's API shows at ``moment``; ``None``: it does not know the connection any more."""
    status: LinkStatus | None = LinkStatus.PENDING
    for change in changes:
        if change.at > moment:
            break
        status = status_after(status, change.did)
    return status


@dataclass
class Truth:
    """What holds after a history, and what would have been told of it in order."""

    link: LinkStatus | None = LinkStatus.PENDING
    authorization: int = 0
    begins: list[datetime] = field(default_factory=list)
    reads: dict[str, str] = field(default_factory=dict)
    was_touched: bool = False
    last_failed: bool = False
    data_types: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    told: list[tuple[NotificationType, datetime]] = field(default_factory=list)

    @property
    def authorized_at(self) -> datetime | None:
        """When the last authorisation began."""
        return self.begins[-1] if self.begins else None

    @property
    def outcome(self) -> NotificationType | None:
        """The outcome of the first sync of the last authorisation."""
        if not self.reads:
            return None
        return (
            NotificationType.SYNC_COMPLETED
            if "Complete" in self.reads.values()
            else NotificationType.SYNC_FAILED
        )

    @property
    def state(self) -> State:
        """The public state."""
        if self.link is None:
            return State.DELETED
        if self.link is LinkStatus.PENDING:
            return State.AUTHORIZATION_FAILED if self.last_failed else State.PENDING
        if self.link is not LinkStatus.LINKED:
            return _END_STATES[self.link]
        if self.outcome:
            return State.READY if self.outcome is NotificationType.SYNC_COMPLETED else State.SYNC_FAILED
        return State.SYNCING if self.was_touched else State.AUTHORIZED

    def authorization_at(self, moment: datetime) -> int:
        """The number of the authorisation that ``moment`` belongs to, until the next one begins."""
        return sum(1 for begin in self.begins if begin <= moment)

    def step(self, change: Change) -> None:
        """Let one change happen."""
        if change.did in (Did.LINKED, Did.RELINKED):
            self.authorization += 1
            self.begins.append(change.at)
            self.reads, self.was_touched = {}, False
            first = self.authorization == 1
            self.told.append(
                (NotificationType.AUTHORIZED if first else NotificationType.REAUTHORIZED, change.at)
            )
        elif change.types:
            self._read(change)
        elif change.did in ENDS:
            self.told.append((_END_NOTICES[change.did], change.at))
        elif change.did is Did.FAILED:
            self.told.append((NotificationType.AUTHORIZATION_FAILED, change.at))
        elif change.did is Did.DELETED and self.told:
            self.told.append((NotificationType.DELETED, change.at))
        self.link = status_after(self.link, change.did)
        self.last_failed = change.did is Did.FAILED

    def _read(self, change: Change) -> None:
        self.was_touched = True
        self.data_types.update({name: (status, change.at) for name, status in change.types})
        if not change.is_initial_read:
            return
        self.reads.update(change.types)
        outcome = self.outcome
        if outcome and not any(kind is outcome and at >= self.begins[-1] for kind, at in self.told):
            self.told.append((outcome, change.at))


def truth_of(changes: Sequence[Change]) -> Truth:
    """Step through a history in order."""
    truth = Truth()
    for change in changes:
        truth.step(change)
    return truth
