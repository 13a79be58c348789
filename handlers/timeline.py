"""Why: the outcome of an event for a connection, in one word and in a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from handlers.connection import Connection
from handlers.effects import Decision
from handlers.facts import Claim, Fact, FactKind
from handlers.fold import Link, effective_facts, may_be_outdated
from handlers.registry import HandlerResult
from handlers.state import Situation
from handlers.superseded import superseded_claims

EXPECTED_END = "as expected: access ended with a complete first sync, as of a connector that is read once"
NOTHING_QUEUED = (
    "no first sync follows this authorisation: Codat has queued nothing to read; it can be asked to read now"
)


class TimelineOutcome(StrEnum):
    """What a message did to a connection."""

    APPLIED = "applied"
    NO_CHANGE = "no_change"
    STALE = "stale"
    TWIN = "twin"
    DOUBT = "doubt"


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """The line on the timeline for one event and one connection."""

    before: str
    after: str
    outcome: TimelineOutcome
    reason: str
    decisions: tuple[Decision, ...] = ()


def explain(
    known: Connection,
    learnt: Connection,
    before: Situation,
    after: Situation,
    result: HandlerResult,
    expired: Sequence[Claim],
) -> tuple[TimelineOutcome, str]:
    """The outcome of an event and its reason.

    ``known`` and ``learnt`` are the connection before and after.
    """
    if before.state != after.state:
        turn = f"{before.state} → {after.state}"
        return TimelineOutcome.APPLIED, _join(
            result, f"{turn}; {EXPECTED_END}" if after.end_expected else turn
        )
    if before.end_expected != after.end_expected:
        known_now = EXPECTED_END if after.end_expected else "access did not end with the first sync"
        return TimelineOutcome.APPLIED, _join(result, known_now)
    if after.first_sync_missing and not before.first_sync_missing:
        return TimelineOutcome.APPLIED, NOTHING_QUEUED
    if before.authorization != after.authorization:
        numbers = f"{before.authorization} → {after.authorization}"
        return TimelineOutcome.APPLIED, _join(result, f"authorisations known: {numbers}; still {after.state}")
    if result.facts and not known.facts and known.compacted_until is None:
        return TimelineOutcome.APPLIED, _join(result, f"the first we know of it; {after.state}")
    if result.doubt:
        return TimelineOutcome.DOUBT, _join(result, result.doubt)
    if expired:
        return _expired(before, after, result)
    if before.history != after.history and not _is_twin_only(before, after, result.facts):
        return TimelineOutcome.APPLIED, _join(result, _what_moved(before, after))
    if result.twin:
        return TimelineOutcome.TWIN, result.remark or "this change is known already"
    if result.facts:
        return _unmoved(known, learnt, before, result)
    if result.data_types:
        changed = known.data_types != learnt.data_types
        if changed and any(
            name not in known.data_types or known.data_types[name].status != kind.status
            for name, kind in learnt.data_types.items()
        ):
            return TimelineOutcome.APPLIED, _join(result, "a data type has a new outcome")
        if changed:
            return TimelineOutcome.NO_CHANGE, _join(result, "read again with the same outcome")
        same = all(known.data_types.get(kind.name) == kind for kind in result.data_types)
        if same:
            return TimelineOutcome.TWIN, _join(result, "these outcomes are known already")
        return TimelineOutcome.STALE, _join(result, "newer outcomes of these data types are known")
    return TimelineOutcome.NO_CHANGE, result.remark or "nothing follows for this connection"


def _expired(before: Situation, after: Situation, result: HandlerResult) -> tuple[TimelineOutcome, str]:
    if before.history != after.history:
        return TimelineOutcome.APPLIED, _join(result, "an alert was taken at its word")
    return TimelineOutcome.DOUBT, _join(result, "an alert that does not fit what we know was left as a doubt")


def _is_twin_only(before: Situation, after: Situation, facts: Sequence[Fact]) -> bool:
    """Whether facts merely say better when something happened that we knew of."""
    was, is_ = before.history, after.history
    if before.outcome != after.outcome and not (before.outcome and after.outcome):
        return False
    if after.outcome and before.outcome and before.outcome.types != after.outcome.types:
        return False
    same_failure = (was.failed and was.failed.at) == (is_.failed and is_.failed.at)
    return (
        was.link is is_.link is not Link.PENDING
        and same_failure
        and len(was.orphaned_reads) == len(is_.orphaned_reads)
        and bool(facts)
    )


def _what_moved(before: Situation, after: Situation) -> str:
    if before.authorized_at != after.authorized_at:
        return "the authorisation is known to have begun at another time"
    if before.outcome != after.outcome:
        return "the first sync read more data types"
    return "a fact was added"


def _unmoved(
    known: Connection, learnt: Connection, before: Situation, result: HandlerResult
) -> tuple[TimelineOutcome, str]:
    fact = result.facts[0]
    if known.compacted_until is not None and fact.at <= known.compacted_until:
        return TimelineOutcome.STALE, _join(result, "it lies before what was summed up")
    if fact.identity in {other.identity for other in known.facts}:
        return TimelineOutcome.TWIN, _join(result, "this change is known already")
    if fact.kind is FactKind.SEEN and not fact.claimed:
        if may_be_outdated(learnt.history, fact):
            return TimelineOutcome.NO_CHANGE, _join(
                result, "it may be from before the last change: Codat is asked again"
            )
        if fact in effective_facts(learnt.facts):
            return TimelineOutcome.NO_CHANGE, _join(result, "what Codat shows agrees with what we know")
        return TimelineOutcome.NO_CHANGE, _join(
            result, "it lies too close to an exact change, which counts instead"
        )
    if fact in superseded_claims(learnt.facts):
        return TimelineOutcome.TWIN, _join(result, "a message with an exact time told of this change already")
    if _means_the_present(fact, before):
        return TimelineOutcome.TWIN, _join(result, "this change is known already")
    last = _last_change(known)
    if last is not None and fact.at < last.at:
        return TimelineOutcome.STALE, _join(result, f"it lies before the last change ({last.kind})")
    return TimelineOutcome.NO_CHANGE, _join(result, f"it changes nothing while {before.state}")


def _means_the_present(fact: Fact, before: Situation) -> bool:
    history = before.history
    if fact.kind is FactKind.DELETED:
        return history.deleted is not None
    if fact.kind is FactKind.READ:
        return bool(history.initial_reads)
    if fact.link_status is None or history.deleted:
        return False
    if history.ended:
        return fact.link_status is history.ended.status
    return (
        history.begun is not None
        and fact.link_status == "Linked"
        and (history.previous_end_at is None or fact.at > history.previous_end_at)
    )


def _last_change(known: Connection) -> Fact | None:
    changes = [fact for fact in known.facts if fact.kind is not FactKind.SEEN]
    return changes[-1] if changes else None


def _join(result: HandlerResult, sentence: str) -> str:
    if result.remark and result.remark != sentence:
        return f"{result.remark}; {sentence}"
    return sentence
