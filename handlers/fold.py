"""The fold: from the facts of a connection to what holds now.

The table is total: every link status and every column has its cell. It is also
the source of ``docs/state-machine.md`` (see ``handlers.diagram``).

Codat's API may lag: it may show the state of up to ``API_LAG`` ago. A look that contradicts the
last change and lies less than that after it changes nothing (``may_be_outdated``). Codat is asked
again until it agrees or the time is over (``handlers.verification``).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from handlers.events import LinkStatus
from handlers.explained import explained_claims
from handlers.facts import API_LAG, SEEN_TOLERANCE, Fact, FactKind


class Link(StrEnum):
    """The rows of the table: where a connection stands while facts are walked."""

    PENDING = "unknown, pending"
    LINKED = "linked"
    ENDED = "ended"
    DELETED = "deleted"


class Column(StrEnum):
    """The columns of the table: a fact, and for what was seen also what it was."""

    CREATED = "created"
    FAILED = "failed"
    LINKED = "linked"
    RELINKED = "relinked"
    ENDED = "ended"
    READ = "read"
    ORDINARY_READ = "ordinary read"
    SEEN_PENDING = "seen(PendingAuth)"
    SEEN_LINKED = "seen(Linked)"
    SEEN_ENDED = "seen(ended)"
    DELETED = "deleted"


class Action(StrEnum):
    """The cells of the table: what one fact does to the walk."""

    STAY = "stay"
    NOTE_CREATION = "note that it exists"
    NOTE_FAILURE = "note the failed attempt"
    BEGIN = "begin"
    BEGIN_AT_READ = "begin at the read, keep it"
    BEGIN_AT_ASIDE = "begin at the first read set aside, keep those"
    CLOSE_AND_BEGIN = "end missed: close, begin"
    CLOSE = "close"
    END_UNKNOWN = "ended (was linked unknown to us)"
    NEWEST_REASON = "stay, newest reason"
    OTHER_REASON = "stay; newest reason when it is another one"
    KEEP = "keep it"
    SET_ASIDE = "set aside"
    DELETE = "deleted for good"


_ALWAYS = {
    Column.DELETED: Action.DELETE,
    Column.SEEN_PENDING: Action.STAY,
    Column.ORDINARY_READ: Action.STAY,
}

TABLE: dict[Link, dict[Column, Action]] = {
    Link.PENDING: {
        Column.CREATED: Action.NOTE_CREATION,
        Column.FAILED: Action.NOTE_FAILURE,
        Column.LINKED: Action.BEGIN,
        Column.RELINKED: Action.BEGIN,
        Column.ENDED: Action.END_UNKNOWN,
        Column.READ: Action.BEGIN_AT_READ,
        Column.SEEN_LINKED: Action.BEGIN,
        Column.SEEN_ENDED: Action.END_UNKNOWN,
        **_ALWAYS,
        Column.ORDINARY_READ: Action.BEGIN_AT_READ,
    },
    Link.LINKED: {
        Column.CREATED: Action.STAY,
        Column.FAILED: Action.STAY,
        Column.LINKED: Action.STAY,
        Column.RELINKED: Action.CLOSE_AND_BEGIN,
        Column.ENDED: Action.CLOSE,
        Column.READ: Action.KEEP,
        Column.SEEN_LINKED: Action.STAY,
        Column.SEEN_ENDED: Action.CLOSE,
        **_ALWAYS,
    },
    Link.ENDED: {
        Column.CREATED: Action.STAY,
        Column.FAILED: Action.NOTE_FAILURE,
        Column.LINKED: Action.BEGIN,
        Column.RELINKED: Action.BEGIN,
        Column.ENDED: Action.NEWEST_REASON,
        Column.READ: Action.SET_ASIDE,
        Column.SEEN_LINKED: Action.BEGIN_AT_ASIDE,
        Column.SEEN_ENDED: Action.OTHER_REASON,
        **_ALWAYS,
    },
    Link.DELETED: dict.fromkeys(Column, Action.STAY),
}


@dataclass(frozen=True, slots=True)
class AuthorizationHistory:
    """Where the walk stands.

    ``authorization`` counts how many began so far. ``begun`` is the fact that began
    the current one and ``begun_at`` its time; ``begun_at`` is ``None`` where access
    ended that we never saw begin. ``floor`` is the end of the authorisation before
    (the beginning of the current one where that end was missed), ``None`` for the
    first. ``kept`` are the initial reads of the current authorisation, ``aside``
    those that came while access had ended.
    """

    link: Link = Link.PENDING
    authorization: int = 0
    begun: Fact | None = None
    begun_at: datetime | None = None
    floor: datetime | None = None
    ended: Fact | None = None
    kept: tuple[Fact, ...] = ()
    orphaned_reads: tuple[Fact, ...] = ()
    failed: Fact | None = None
    deleted: Fact | None = None


START = AuthorizationHistory()


def column_of(fact: Fact) -> Column:
    """The column of the table that ``fact`` belongs to."""
    if fact.kind is not FactKind.SEEN:
        return Column[fact.kind.name]
    if fact.status is LinkStatus.LINKED:
        return Column.SEEN_LINKED
    return Column.SEEN_PENDING if fact.status in (LinkStatus.PENDING, None) else Column.SEEN_ENDED


def _begin(
    history: AuthorizationHistory, fact: Fact, *, at: datetime | None = None, kept: tuple[Fact, ...] = ()
) -> AuthorizationHistory:
    if history.link is Link.LINKED:
        floor: datetime | None = fact.at
    else:
        floor = history.ended.at if history.ended else None
    return replace(
        history,
        link=Link.LINKED,
        authorization=history.authorization + 1,
        begun=fact,
        begun_at=at or fact.at,
        floor=floor,
        ended=None,
        kept=kept,
        orphaned_reads=(),
        failed=None,
    )


def _close(history: AuthorizationHistory, fact: Fact) -> AuthorizationHistory:
    return replace(history, link=Link.ENDED, ended=fact, orphaned_reads=(), failed=None)


def _other_reason(history: AuthorizationHistory, fact: Fact) -> AuthorizationHistory:
    """Another reason proves that an authorisation was missed; with the same one the exact fact stays."""
    if history.ended is not None and history.ended.status is fact.status:
        return history
    return replace(history, ended=fact, orphaned_reads=())


def _begin_at_aside(history: AuthorizationHistory, fact: Fact) -> AuthorizationHistory:
    if not history.orphaned_reads:
        return _begin(history, fact)
    return _begin(history, fact, at=history.orphaned_reads[0].at, kept=history.orphaned_reads)


def read_floor(history: AuthorizationHistory) -> datetime | None:
    """Datasets requested up to this moment belong to an authorisation before; ``None``: to none.

    Where the end before was missed, what was queued with the beginning itself counts.
    """
    floor = history.ended.at if history.ended else history.floor
    return floor - SEEN_TOLERANCE if floor is not None and floor == history.begun_at else floor


def _add_read(history: AuthorizationHistory, fact: Fact, place: str) -> AuthorizationHistory:
    """Add to ``place`` what of the read belongs to no authorisation before."""
    floor = read_floor(history)
    if floor is not None and fact.requested:
        before = {name for name, at in fact.requested if at <= floor}
        if before:
            types = tuple(row for row in fact.types if row[0] not in before)
            if not types:
                return history
            fact = replace(fact, types=types)
    reads: tuple[Fact, ...] = getattr(history, place)
    return replace(history, **{place: (*reads, fact)})  # type: ignore[arg-type]


_STEPS: dict[Action, Callable[[AuthorizationHistory, Fact], AuthorizationHistory]] = {
    Action.NOTE_CREATION: lambda history, fact: replace(history, failed=None) if history.failed else history,
    Action.NOTE_FAILURE: lambda history, fact: replace(history, failed=fact),
    Action.BEGIN: _begin,
    Action.BEGIN_AT_READ: lambda history, fact: _begin(history, fact, kept=(fact,)),
    Action.BEGIN_AT_ASIDE: _begin_at_aside,
    Action.CLOSE_AND_BEGIN: _begin,
    Action.CLOSE: _close,
    Action.END_UNKNOWN: lambda history, fact: replace(_close(history, fact), authorization=1),
    Action.NEWEST_REASON: lambda history, fact: replace(history, ended=fact, orphaned_reads=()),
    Action.OTHER_REASON: _other_reason,
    Action.KEEP: lambda history, fact: _add_read(history, fact, "kept"),
    Action.SET_ASIDE: lambda history, fact: _add_read(history, fact, "orphaned_reads"),
    Action.DELETE: lambda history, fact: replace(history, link=Link.DELETED, deleted=fact),
}


def fold(facts: Sequence[Fact], start: AuthorizationHistory = START) -> AuthorizationHistory:
    """Walk the table over ``facts``, which must be sorted by ``Fact.order``."""
    history = start
    for fact in outranked_left_out(facts):
        step = TABLE[history.link][column_of(fact)]
        if step is not Action.STAY and not may_be_outdated(history, fact):
            history = _STEPS[step](history, fact)
    return history


def last_change(history: AuthorizationHistory) -> Fact | None:
    """The fact that began or ended access last; ``None`` before the first."""
    return history.ended or history.begun


def lag_after(change: Fact) -> timedelta:
    """How long after ``change`` Codat's API may show the state before it.

    One second more after a look, whose time is cut to whole seconds.
    """
    return API_LAG + timedelta(seconds=1) if change.kind is FactKind.SEEN else API_LAG


def may_be_outdated(history: AuthorizationHistory, fact: Fact) -> bool:
    """Whether ``fact`` is a look that contradicts the last change and may show the state before it.

    An alert that says the same proves nothing: it may be as late as the look.
    """
    change = last_change(history)
    if fact.kind is not FactKind.SEEN or fact.claimed or change is None or history.deleted:
        return False
    if fact.at - change.at >= lag_after(change):
        return False
    held = (history.ended.status or LinkStatus.UNLINKED) if history.ended else LinkStatus.LINKED
    return fact.status is not held


def outranked_left_out(facts: Sequence[Fact]) -> Iterable[Fact]:
    """Leave out what an exact change outranks.

    That is anything seen within ``SEEN_TOLERANCE`` of a change, and a legacy alert
    taken at its word which an exact fact of the same meaning explains: one that lies
    at most ``CLAIM_WINDOW`` before the alert came. Each fact explains one alert.
    """
    claimed = any(fact.claimed for fact in facts)
    if not claimed and not any(fact.kind is FactKind.SEEN for fact in facts):
        return facts
    changes = [fact for fact in facts if fact.kind in (FactKind.LINKED, FactKind.RELINKED, FactKind.ENDED)]
    explained = explained_claims(facts) if claimed else set()
    return [
        fact
        for fact in facts
        if fact not in explained
        and not (
            fact.kind is FactKind.SEEN
            and any(abs(fact.at - change.at) <= SEEN_TOLERANCE for change in changes)
        )
    ]
