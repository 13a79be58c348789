"""The situation of a connection: its public state and what else follows from the fold."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from handlers.connection import MOST_RECENT, Connection
from handlers.events import LinkStatus
from handlers.facts import AT_ONCE, COMPLETE, ENDED_STATUSES, NOT_SUPPORTED, RUNNING_STATUSES, Fact
from handlers.fold import AuthorizationHistory, Link
from handlers.records import dataclass


class State(StrEnum):
    """The public states of a connection."""

    PENDING = "pending"
    AUTHORIZED = "authorized"
    SYNCING = "syncing"
    READY = "ready"
    AUTHORIZATION_FAILED = "authorization_failed"
    SYNC_FAILED = "sync_failed"
    DEAUTHORIZED = "deauthorized"
    UNLINKED = "unlinked"
    DELETED = "deleted"


LINKED_STATES = frozenset({State.AUTHORIZED, State.SYNCING, State.READY, State.SYNC_FAILED})
"""The states in which the connection has access."""

AWAITING_FIRST_SYNC = frozenset({State.AUTHORIZED, State.SYNCING})
"""The states with access in which the first sync has no outcome yet."""


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """The outcome of the first sync of the current authorisation so far.

    ``types`` is the newest dataset status per data type over the initial reads. ``by`` is the read that led
    to the present state.
    """

    state: State
    types: Mapping[str, str]
    by: Fact

    @property
    def complete(self) -> tuple[str, ...]:
        """The data types that were read, sorted."""
        return tuple(sorted(name for name, status in self.types.items() if status == COMPLETE))

    @property
    def failed(self) -> dict[str, str]:
        """The data types that could not be read, with Codat's status."""
        return {name: status for name, status in sorted(self.types.items()) if has_failed(status)}


@dataclass(frozen=True, slots=True)
class Situation:
    """What holds now, as far as is known.

    ``authorized_at`` is when the current authorisation began, ``None`` before the first and where the
    beginning is unknown. ``history`` is the fold behind it. ``first_sync_missing``: access is given and Codat
    has queued no read. ``end_expected``: access ended with the first sync, as it does for a connector on the
    customer's computer that is set to be read once.
    """

    state: State
    authorization: int
    authorized_at: datetime | None
    outcome: SyncOutcome | None
    history: AuthorizationHistory = field(compare=False)
    first_sync_missing: bool = False
    end_expected: bool = False


def situation(connection: Connection) -> Situation:
    """The situation that the facts of ``connection`` imply.

    The same object as long as nothing changes that it depends on, which is what most events leave behind.
    """
    history = connection.history
    given = (
        _has_read(history, connection),
        connection.nothing_queued_at,
        history.link is Link.ENDED and connection.is_on_premise,
    )
    recent = _recent.get(id(history))
    if recent is not None and recent[0] is history and recent[1] == given:
        return recent[2]
    now = _situation(history, *given)
    if len(_recent) >= MOST_RECENT:
        _recent.clear()
    _recent[id(history)] = (history, given, now)
    return now


_Given = tuple[bool, datetime | None, bool]
_recent: dict[int, tuple[AuthorizationHistory, _Given, Situation]] = {}
"""Situations with what they depend on, by the identity of the history."""


def _has_read(history: AuthorizationHistory, connection: Connection) -> bool:
    """Whether data was read since access was given, which counts as long as no first sync has an outcome."""
    begun_at = history.begun_at
    if history.link is not Link.LINKED or history.initial_reads or begun_at is None:
        return False
    return any(outcome.at >= begun_at for outcome in connection.data_types.values())


def _situation(
    history: AuthorizationHistory,
    has_read: bool,
    nothing_queued_at: datetime | None,
    is_on_premise: bool,
) -> Situation:
    outcome = _outcome(history.initial_reads) if history.link is Link.LINKED else None
    state = _state(history, outcome, has_read=has_read)
    return Situation(
        state=state,
        authorization=history.authorization,
        authorized_at=history.begun_at,
        outcome=outcome,
        history=history,
        first_sync_missing=state is State.AUTHORIZED and _is_nothing_queued(nothing_queued_at, history),
        end_expected=state is State.DEAUTHORIZED and is_on_premise and _ended_with_sync(history),
    )


def _is_nothing_queued(shown_at: datetime | None, history: AuthorizationHistory) -> bool:
    """Whether Codat showed that no read is queued for the current authorisation."""
    begun_at = history.begun_at
    return shown_at is not None and begun_at is not None and shown_at >= begun_at


def _ended_with_sync(history: AuthorizationHistory) -> bool:
    """Whether access ended within ``AT_ONCE`` of a complete first sync.

    The times in the two messages may be in the other order: then the read is an orphaned one.
    """
    assert history.ended is not None
    reads = (*history.initial_reads, *history.orphaned_reads)
    outcome = _outcome(reads)
    return (
        outcome is not None
        and outcome.state is State.READY
        and abs(history.ended.at - reads[-1].at) <= AT_ONCE
    )


def _state(history: AuthorizationHistory, outcome: SyncOutcome | None, *, has_read: bool) -> State:
    if history.link is Link.DELETED:
        return State.DELETED
    if history.link is Link.ENDED:
        assert history.ended is not None
        return State.DEAUTHORIZED if history.ended.status is LinkStatus.DEAUTHORIZED else State.UNLINKED
    if history.link is Link.PENDING:
        return State.AUTHORIZATION_FAILED if history.failed else State.PENDING
    if outcome:
        return outcome.state
    return State.SYNCING if has_read else State.AUTHORIZED


def _outcome(reads: Sequence[Fact]) -> SyncOutcome | None:
    """The outcome after the reads of an authorisation; ``None`` without reads."""
    outcome: SyncOutcome | None = None
    types: dict[str, str] = {}
    has_success = False
    for read in reads:
        types.update(read.types)
        has_success = has_success or not read.types
        state = _sync_state(types, has_success=has_success)
        by = outcome.by if outcome and outcome.state is state else read
        outcome = SyncOutcome(state, dict(types), by)
    return outcome


def _sync_state(types: Mapping[str, str], *, has_success: bool) -> State:
    if has_success or COMPLETE in types.values():
        return State.READY
    is_reading = any(status in RUNNING_STATUSES for status in types.values())
    return State.SYNCING if is_reading else State.SYNC_FAILED


def is_running(status: str, progress: int = 0) -> bool:
    """Whether a dataset is still being read.

    A status that is unknown here counts as running unless ``progress`` (0 to 100) is 100.
    """
    return status in RUNNING_STATUSES or (status not in ENDED_STATUSES and progress < 100)


def has_failed(status: str, progress: int = 100) -> bool:
    """Whether reading a dataset has failed; a status that is unknown here is a failure once it has ended."""
    return status not in (COMPLETE, NOT_SUPPORTED) and not is_running(status, progress)
