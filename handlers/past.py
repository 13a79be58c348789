"""A connection as it was believed to be at an earlier time. Pure.

The facts that were known by then are folded again (``handlers.fold``). What a fact does not say (the ledger,
open checks, a state that rested on a data type whose outcome was replaced since) comes from the timeline,
which recorded it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from handlers.connection import Check, Connection
from handlers.effects import DecisionOutcome
from handlers.facts import DataType, Fact
from handlers.records import dataclass, replace
from handlers.state import State, situation

_SETTLED = (DecisionOutcome.TOLD, DecisionOutcome.KNOWN)
"""Decisions that write a milestone to the ledger."""

_NOTHING_READ = (State.PENDING, State.AUTHORIZED, State.AUTHORIZATION_FAILED)
"""States in which no data type was read, unless in an authorisation before."""


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """A decision on the timeline: notification type, verdict and, unless it was overtaken, the id."""

    kind: str
    outcome: str
    notification_id: str | None


@dataclass(frozen=True, slots=True)
class RecordedEntry:
    """A line of the timeline. ``handled_at`` is our time of the commit, ``at`` Codat's time of the event."""

    event_id: str
    at: datetime
    handled_at: datetime
    before: str
    after: str
    decisions: tuple[RecordedDecision, ...] = ()


@dataclass(frozen=True, slots=True)
class Belief:
    """What was believed of a connection at a time.

    ``state`` is the recorded public state. ``complete`` is false where something of that time is not known
    any more: facts that were summed up since, or an outcome of a data type that was replaced since.
    """

    connection: Connection
    state: str
    complete: bool


def believed_at(
    connection: Connection, state: str, entries: Sequence[RecordedEntry], moment: datetime
) -> Belief:
    """What was believed at ``moment`` of ``connection``, which is in ``state`` now.

    ``entries`` are its timeline, oldest first.
    """
    earlier = [entry for entry in entries if entry.handled_at <= moment]
    later = [entry for entry in entries if entry.handled_at > moment]
    handled_later = {entry.event_id for entry in later} - {entry.event_id for entry in earlier}
    decided_later = _decided(later)
    past = replace(
        connection,
        facts=tuple(
            fact
            for fact in connection.facts
            if fact.known_at <= moment and fact.event_id not in handled_later
        ),
        claims=tuple(
            claim
            for claim in connection.claims
            if claim.since <= moment and claim.event_id not in handled_later
        ),
        checks=_open_checks(connection, earlier),
        ledger=tuple(told for told in connection.ledger if told.id not in decided_later),
    )
    recorded = later[0].before if later else state
    learnt_later = {entry.at for entry in later} - {entry.at for entry in earlier}
    past = replace(past, data_types=_data_types(past, recorded, moment, learnt_later))
    is_whole = all(
        fact.known_at <= moment and fact.event_id not in handled_later for fact in summed_up_facts(connection)
    )
    is_whole = is_whole and (not _may_lack_outcomes(connection, past, recorded))
    return Belief(past, recorded, is_whole and situation(past).state.value == recorded)


def _decided(entries: Sequence[RecordedEntry]) -> set[str]:
    """Ids of the notifications that ``entries`` wrote to the ledger."""
    return {
        decision.notification_id
        for entry in entries
        for decision in entry.decisions
        if decision.outcome in _SETTLED and decision.notification_id
    }


def _open_checks(connection: Connection, entries: Sequence[RecordedEntry]) -> tuple[Check, ...]:
    """The milestones that waited for Codat after ``entries``, by notification type."""
    times = {told.id: told.at for told in connection.ledger}
    waiting: dict[str, Check] = {}
    for entry in entries:
        for decision in entry.decisions:
            if decision.outcome == DecisionOutcome.CHECKING:
                at = times.get(decision.notification_id or "", entry.at)
                waiting[decision.kind] = Check(decision.kind, at, entry.handled_at, entry.before)
            else:
                waiting.pop(decision.kind, None)
    still_open = {check.kind: check for check in connection.checks}
    return tuple(still_open.get(kind, check) for kind, check in waiting.items())


def _data_types(
    past: Connection, recorded: str, moment: datetime, learnt_later: Collection[datetime]
) -> dict[str, DataType]:
    """The outcomes of data types at ``moment``, when the state was ``recorded``.

    A newer outcome replaces the one before, which then is known from the first sync alone. An outcome does
    not say when it was learnt; ``learnt_later`` are the times of the events that were handled after.
    """
    if past.history.authorization <= 1 and recorded in _NOTHING_READ:
        return {}
    data_types = {
        name: data_type
        for name, data_type in past.data_types.items()
        if data_type.at <= moment and data_type.at not in learnt_later
    }
    if (outcome := situation(past).outcome) is not None:
        for name, status in outcome.types.items():
            data_types.setdefault(name, DataType(name, status, outcome.by.at))
    return data_types


def _may_lack_outcomes(connection: Connection, past: Connection, recorded: str) -> bool:
    """Whether a data type may have had an outcome then that a newer one replaced."""
    if all(past.data_types.get(name) == newest for name, newest in connection.data_types.items()):
        return False
    return past.history.authorization > 1 or recorded not in _NOTHING_READ


def summed_up_facts(connection: Connection) -> list[Fact]:
    """The facts that compaction left in ``base``."""
    base = connection.base
    singles = (base.begun, base.ended, base.failed, base.deleted)
    return [*(fact for fact in singles if fact), *base.initial_reads, *base.orphaned_reads]
