"""The fold: from the facts of a connection to what holds now.

Theory of operation
===================

A *fact* (``handlers.facts``) is one thing that happened to a connection at a time of Codat's clock: access
was given, a read was complete, access ended. A message is not a fact. A handler turns a message, or an
answer of Codat's API, into facts. What a message claims without a time (a legacy alert) is first a *claim*:
Codat is asked, and the answer becomes the fact.

The facts of a connection are a set. Two messages about the same change yield the same fact, and adding a fact
twice changes nothing. So duplicates, retries, replays and the second generation of a message are harmless.

The state is not stored and updated. It is computed from the facts: ``fold`` sorts them by Codat's time, facts
of one moment by cause (``FactKind`` gives the order), and applies ``TABLE`` to one after the other, starting
from ``START``. Only the set decides the result, not the order of arrival. So a late message changes the
state exactly as if it had come in time, or changes nothing because a later fact supersedes it.

The result is an ``AuthorizationHistory``: the row of the table that was reached, the number of
authorisations, and the facts that began or ended the current one. ``handlers.state`` derives the public state
from it.

Three rules handle what is less exact than a message with a time:

* An observation (``FactKind.SEEN``) is a status that Codat's API showed when we asked. An exact change within
  ``SEEN_TOLERANCE`` of it outranks it: ``effective_facts`` leaves it out.
* Codat's API may show the state of up to ``API_LAG`` ago. An observation that contradicts a change of the
  last ``API_LAG`` changes nothing (``may_be_outdated``). ``handlers.verification`` asks again until Codat
  agrees or the lag is over.
* A legacy alert that was accepted without an answer is superseded by the exact fact of the same meaning as
  soon as that arrives (``handlers.superseded``).

Milestones are decided once. ``handlers.milestones.due_milestones`` lists what the present history makes due:
the current authorisation, the outcome of its first sync, its end, the last failed attempt, the deletion. The
ledger of the connection holds every notification that was decided. A milestone is told if it is due and the
ledger does not have it. The new ledger entry, the facts and the notification are written in one commit, so a
crash repeats the whole step or nothing. The id of a notification depends on the connection, its kind and the
time of the milestone alone: a repeated step yields the same id.

Old facts are compacted: they are folded into ``Connection.base``, from which the next fold starts.

The table is total: every link status has a cell for every column. An empty cell fails a test.
``docs/state-machine.md`` is generated from it (``handlers.diagram``).
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from handlers.events import LinkStatus
from handlers.facts import ACCESS_CHANGES, API_LAG, SEEN_TOLERANCE, Fact, FactKind
from handlers.records import dataclass, replace
from handlers.superseded import superseded_claims


class Link(StrEnum):
    """The rows of the table: the link status that the fold has reached."""

    PENDING = "unknown, pending"
    LINKED = "linked"
    ENDED = "ended"
    DELETED = "deleted"


class Column(StrEnum):
    """The columns of the table: the kind of the fact and, for an observation, its status."""

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
    """The cells of the table: what one fact does to the history."""

    STAY = "stay"
    NOTE_CREATION = "note that it exists"
    NOTE_FAILURE = "note the failed attempt"
    BEGIN = "begin"
    BEGIN_AT_READ = "begin at the read, keep it"
    BEGIN_AT_ORPHANED_READ = "begin at the first read set aside, keep those"
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
        Column.SEEN_LINKED: Action.BEGIN_AT_ORPHANED_READ,
        Column.SEEN_ENDED: Action.OTHER_REASON,
        **_ALWAYS,
    },
    Link.DELETED: dict.fromkeys(Column, Action.STAY),
}


@dataclass(frozen=True, slots=True)
class AuthorizationHistory:
    """The state of the fold.

    ``authorization`` counts the authorisations so far. ``begun`` is the fact that began the current one and
    ``begun_at`` its time, ``None`` where access ended whose beginning is unknown. ``previous_end_at`` is
    the end of the authorisation before (the beginning of the current one where that end was missed), ``None``
    for the first. ``initial_reads`` are the initial reads of the current authorisation, ``orphaned_reads``
    those that came after access had ended. ``failed`` is the last failed attempt to authorise.
    """

    link: Link = Link.PENDING
    authorization: int = 0
    begun: Fact | None = None
    begun_at: datetime | None = None
    previous_end_at: datetime | None = None
    ended: Fact | None = None
    initial_reads: tuple[Fact, ...] = ()
    orphaned_reads: tuple[Fact, ...] = ()
    failed: Fact | None = None
    deleted: Fact | None = None


START = AuthorizationHistory()


def fold(facts: Sequence[Fact], start: AuthorizationHistory = START) -> AuthorizationHistory:
    """Apply the table to ``facts``, which must be sorted by ``Fact.order``."""
    history = start
    for fact in effective_facts(facts):
        action = TABLE[history.link][column_of(fact)]
        if action is not Action.STAY and not may_be_outdated(history, fact):
            history = _STEPS[action](history, fact)
    return history


def column_of(fact: Fact) -> Column:
    """The column of the table for ``fact``."""
    if fact.kind is not FactKind.SEEN:
        return _COLUMNS[fact.kind]
    if fact.status is LinkStatus.LINKED:
        return Column.SEEN_LINKED
    return Column.SEEN_PENDING if fact.status is LinkStatus.PENDING else Column.SEEN_ENDED


_COLUMNS = {kind: Column[kind.name] for kind in FactKind if kind is not FactKind.SEEN}


def _begin(
    history: AuthorizationHistory, fact: Fact, *, at: datetime | None = None, reads: tuple[Fact, ...] = ()
) -> AuthorizationHistory:
    if history.link is Link.LINKED:
        previous_end_at: datetime | None = fact.at
    else:
        previous_end_at = history.ended.at if history.ended else None
    return AuthorizationHistory(
        link=Link.LINKED,
        authorization=history.authorization + 1,
        begun=fact,
        begun_at=at or fact.at,
        previous_end_at=previous_end_at,
        initial_reads=reads,
    )


def _begin_at_orphaned_read(history: AuthorizationHistory, fact: Fact) -> AuthorizationHistory:
    reads = history.orphaned_reads
    return _begin(history, fact, at=reads[0].at if reads else None, reads=reads)


def _close(history: AuthorizationHistory, fact: Fact) -> AuthorizationHistory:
    return replace(history, link=Link.ENDED, ended=fact, failed=None)


def _other_reason(history: AuthorizationHistory, fact: Fact) -> AuthorizationHistory:
    """Another reason proves that an authorisation was missed; with the same one the exact fact stays."""
    if history.ended is not None and history.ended.status is fact.status:
        return history
    return replace(history, ended=fact, orphaned_reads=())


def read_cutoff(history: AuthorizationHistory) -> datetime | None:
    """Datasets requested up to this time belong to an earlier authorisation; ``None``: there is none.

    Where the end of that one was missed, a dataset that was requested with the present beginning counts.
    """
    cutoff = history.ended.at if history.ended else history.previous_end_at
    return cutoff - SEEN_TOLERANCE if cutoff is not None and cutoff == history.begun_at else cutoff


def _current_part(history: AuthorizationHistory, read: Fact) -> tuple[Fact, ...]:
    """``read`` without the data types that belong to an earlier authorisation; empty if none is left."""
    cutoff = read_cutoff(history)
    earlier = {name for name, at in read.requested if cutoff is not None and at <= cutoff}
    if not earlier:
        return (read,)
    types = tuple((name, status) for name, status in read.types if name not in earlier)
    return (replace(read, types=types),) if types else ()


def _keep(history: AuthorizationHistory, read: Fact) -> AuthorizationHistory:
    return replace(history, initial_reads=(*history.initial_reads, *_current_part(history, read)))


def _set_aside(history: AuthorizationHistory, read: Fact) -> AuthorizationHistory:
    ended = history.ended
    if ended is not None and ended.kind is FactKind.SEEN and read.at - ended.at <= SEEN_TOLERANCE:
        # The time of an observation is truncated: the read came first, and so did its requests.
        return replace(_keep(replace(history, ended=None), read), ended=ended)
    return replace(history, orphaned_reads=(*history.orphaned_reads, *_current_part(history, read)))


_STEPS: dict[Action, Callable[[AuthorizationHistory, Fact], AuthorizationHistory]] = {
    Action.NOTE_CREATION: lambda history, fact: replace(history, failed=None),
    Action.NOTE_FAILURE: lambda history, fact: replace(history, failed=fact),
    Action.BEGIN: _begin,
    Action.BEGIN_AT_READ: lambda history, fact: _begin(history, fact, reads=(fact,)),
    Action.BEGIN_AT_ORPHANED_READ: _begin_at_orphaned_read,
    Action.CLOSE_AND_BEGIN: _begin,
    Action.CLOSE: _close,
    Action.END_UNKNOWN: lambda history, fact: replace(_close(history, fact), authorization=1),
    Action.NEWEST_REASON: lambda history, fact: replace(history, ended=fact, orphaned_reads=()),
    Action.OTHER_REASON: _other_reason,
    Action.KEEP: _keep,
    Action.SET_ASIDE: _set_aside,
    Action.DELETE: lambda history, fact: replace(history, link=Link.DELETED, deleted=fact),
}


def last_change(history: AuthorizationHistory) -> Fact | None:
    """The fact that began or ended access last; ``None`` before the first."""
    return history.ended or history.begun


def lag_after(change: Fact) -> timedelta:
    """How long after ``change`` Codat's API may show the state before it.

    One second more after an observation, whose time is truncated to whole seconds.
    """
    return API_LAG + timedelta(seconds=1) if change.kind is FactKind.SEEN else API_LAG


def may_be_outdated(history: AuthorizationHistory, fact: Fact) -> bool:
    """Whether ``fact`` is an observation that contradicts the last change and may show the state before it.

    An alert that agrees with the observation proves nothing: it may be as late as that.
    """
    change = last_change(history)
    if fact.kind is not FactKind.SEEN or fact.claimed or change is None or history.deleted:
        return False
    if fact.at - change.at >= lag_after(change):
        return False
    status = history.ended.status if history.ended else LinkStatus.LINKED
    return fact.status is not status


def effective_facts(facts: Sequence[Fact]) -> Iterable[Fact]:
    """Leave out the facts that an exact change outranks.

    These are observations within ``SEEN_TOLERANCE`` of a change of access, and accepted alerts that an exact
    fact supersedes.
    """
    if not any(fact.claimed or fact.kind is FactKind.SEEN for fact in facts):
        return facts
    changes = [fact for fact in facts if fact.kind in ACCESS_CHANGES]
    superseded = superseded_claims(facts)
    return [
        fact
        for fact in facts
        if fact not in superseded
        and not (
            fact.kind is FactKind.SEEN
            and any(abs(fact.at - change.at) <= SEEN_TOLERANCE for change in changes)
        )
    ]
