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
from handlers.facts import API_LAG, SEEN_TOLERANCE, Fact, Kind


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


class Step(StrEnum):
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
    Column.DELETED: Step.DELETE,
    Column.SEEN_PENDING: Step.STAY,
    Column.ORDINARY_READ: Step.STAY,
}

TABLE: dict[Link, dict[Column, Step]] = {
    Link.PENDING: {
        Column.CREATED: Step.NOTE_CREATION,
        Column.FAILED: Step.NOTE_FAILURE,
        Column.LINKED: Step.BEGIN,
        Column.RELINKED: Step.BEGIN,
        Column.ENDED: Step.END_UNKNOWN,
        Column.READ: Step.BEGIN_AT_READ,
        Column.SEEN_LINKED: Step.BEGIN,
        Column.SEEN_ENDED: Step.END_UNKNOWN,
        **_ALWAYS,
        Column.ORDINARY_READ: Step.BEGIN_AT_READ,
    },
    Link.LINKED: {
        Column.CREATED: Step.STAY,
        Column.FAILED: Step.STAY,
        Column.LINKED: Step.STAY,
        Column.RELINKED: Step.CLOSE_AND_BEGIN,
        Column.ENDED: Step.CLOSE,
        Column.READ: Step.KEEP,
        Column.SEEN_LINKED: Step.STAY,
        Column.SEEN_ENDED: Step.CLOSE,
        **_ALWAYS,
    },
    Link.ENDED: {
        Column.CREATED: Step.STAY,
        Column.FAILED: Step.NOTE_FAILURE,
        Column.LINKED: Step.BEGIN,
        Column.RELINKED: Step.BEGIN,
        Column.ENDED: Step.NEWEST_REASON,
        Column.READ: Step.SET_ASIDE,
        Column.SEEN_LINKED: Step.BEGIN_AT_ASIDE,
        Column.SEEN_ENDED: Step.OTHER_REASON,
        **_ALWAYS,
    },
    Link.DELETED: dict.fromkeys(Column, Step.STAY),
}


@dataclass(frozen=True, slots=True)
class Walk:
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
    aside: tuple[Fact, ...] = ()
    failed: Fact | None = None
    deleted: Fact | None = None


START = Walk()


def column_of(fact: Fact) -> Column:
    """The column of the table that ``fact`` belongs to."""
    if fact.kind is not Kind.SEEN:
        return Column[fact.kind.name]
    if fact.status is LinkStatus.LINKED:
        return Column.SEEN_LINKED
    return Column.SEEN_PENDING if fact.status in (LinkStatus.PENDING, None) else Column.SEEN_ENDED


def _begin(walk: Walk, fact: Fact, *, at: datetime | None = None, kept: tuple[Fact, ...] = ()) -> Walk:
    if walk.link is Link.LINKED:
        floor: datetime | None = fact.at
    else:
        floor = walk.ended.at if walk.ended else None
    return replace(
        walk,
        link=Link.LINKED,
        authorization=walk.authorization + 1,
        begun=fact,
        begun_at=at or fact.at,
        floor=floor,
        ended=None,
        kept=kept,
        aside=(),
        failed=None,
    )


def _close(walk: Walk, fact: Fact) -> Walk:
    return replace(walk, link=Link.ENDED, ended=fact, aside=(), failed=None)


def _other_reason(walk: Walk, fact: Fact) -> Walk:
    """Another reason proves that an authorisation was missed; with the same one the exact fact stays."""
    if walk.ended is not None and walk.ended.status is fact.status:
        return walk
    return replace(walk, ended=fact, aside=())


def _begin_at_aside(walk: Walk, fact: Fact) -> Walk:
    if not walk.aside:
        return _begin(walk, fact)
    return _begin(walk, fact, at=walk.aside[0].at, kept=walk.aside)


def read_floor(walk: Walk) -> datetime | None:
    """Datasets requested up to this moment belong to an authorisation before; ``None``: to none.

    Where the end before was missed, what was queued with the beginning itself counts.
    """
    floor = walk.ended.at if walk.ended else walk.floor
    return floor - SEEN_TOLERANCE if floor is not None and floor == walk.begun_at else floor


def _add_read(walk: Walk, fact: Fact, place: str) -> Walk:
    """Add to ``place`` what of the read belongs to no authorisation before."""
    floor = read_floor(walk)
    if floor is not None and fact.requested:
        before = {name for name, at in fact.requested if at <= floor}
        if before:
            types = tuple(row for row in fact.types if row[0] not in before)
            if not types:
                return walk
            fact = replace(fact, types=types)
    reads: tuple[Fact, ...] = getattr(walk, place)
    return replace(walk, **{place: (*reads, fact)})  # type: ignore[arg-type]


_STEPS: dict[Step, Callable[[Walk, Fact], Walk]] = {
    Step.NOTE_CREATION: lambda walk, fact: replace(walk, failed=None) if walk.failed else walk,
    Step.NOTE_FAILURE: lambda walk, fact: replace(walk, failed=fact),
    Step.BEGIN: _begin,
    Step.BEGIN_AT_READ: lambda walk, fact: _begin(walk, fact, kept=(fact,)),
    Step.BEGIN_AT_ASIDE: _begin_at_aside,
    Step.CLOSE_AND_BEGIN: _begin,
    Step.CLOSE: _close,
    Step.END_UNKNOWN: lambda walk, fact: replace(_close(walk, fact), authorization=1),
    Step.NEWEST_REASON: lambda walk, fact: replace(walk, ended=fact, aside=()),
    Step.OTHER_REASON: _other_reason,
    Step.KEEP: lambda walk, fact: _add_read(walk, fact, "kept"),
    Step.SET_ASIDE: lambda walk, fact: _add_read(walk, fact, "aside"),
    Step.DELETE: lambda walk, fact: replace(walk, link=Link.DELETED, deleted=fact),
}


def fold(facts: Sequence[Fact], start: Walk = START) -> Walk:
    """Walk the table over ``facts``, which must be sorted by ``Fact.order``."""
    walk = start
    for fact in outranked_left_out(facts):
        step = TABLE[walk.link][column_of(fact)]
        if step is not Step.STAY and not may_be_outdated(walk, fact):
            walk = _STEPS[step](walk, fact)
    return walk


def last_change(walk: Walk) -> Fact | None:
    """The fact that began or ended access last; ``None`` before the first."""
    return walk.ended or walk.begun


def lag_after(change: Fact) -> timedelta:
    """How long after ``change`` Codat's API may show the state before it.

    One second more after a look, whose time is cut to whole seconds.
    """
    return API_LAG + timedelta(seconds=1) if change.kind is Kind.SEEN else API_LAG


def may_be_outdated(walk: Walk, fact: Fact) -> bool:
    """Whether ``fact`` is a look that contradicts the last change and may show the state before it.

    An alert that says the same proves nothing: it may be as late as the look.
    """
    change = last_change(walk)
    if fact.kind is not Kind.SEEN or fact.claimed or change is None or walk.deleted:
        return False
    if fact.at - change.at >= lag_after(change):
        return False
    held = (walk.ended.status or LinkStatus.UNLINKED) if walk.ended else LinkStatus.LINKED
    return fact.status is not held


def outranked_left_out(facts: Sequence[Fact]) -> Iterable[Fact]:
    """Leave out what an exact change outranks.

    That is anything seen within ``SEEN_TOLERANCE`` of a change, and a legacy alert
    taken at its word which an exact fact of the same meaning explains: one that lies
    at most ``CLAIM_WINDOW`` before the alert came. Each fact explains one alert.
    """
    claimed = any(fact.claimed for fact in facts)
    if not claimed and not any(fact.kind is Kind.SEEN for fact in facts):
        return facts
    changes = [fact for fact in facts if fact.kind in (Kind.LINKED, Kind.RELINKED, Kind.ENDED)]
    explained = explained_claims(facts) if claimed else set()
    return [
        fact
        for fact in facts
        if fact not in explained
        and not (
            fact.kind is Kind.SEEN and any(abs(fact.at - change.at) <= SEEN_TOLERANCE for change in changes)
        )
    ]
