"""The timeline of a connection: the outcome of each event, and a sentence that explains it."""

from collections.abc import Sequence
from enum import StrEnum

from handlers.connection import Connection
from handlers.effects import Decision
from handlers.events import LinkStatus
from handlers.facts import Claim, Fact, FactKind
from handlers.fold import Link, effective_facts, may_be_outdated
from handlers.records import dataclass
from handlers.registry import HandlerResult
from handlers.state import Situation
from handlers.superseded import superseded_claims

EXPECTED_END = "as expected: access ended with a complete first sync, as of a connector that is read once"
NOTHING_QUEUED = (
    "no first sync follows this authorisation: Codat has queued nothing to read; it can be asked to read now"
)


class TimelineOutcome(StrEnum):
    """What an event did to a connection."""

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


Explanation = tuple[TimelineOutcome, str]


def explain(
    known: Connection,
    learnt: Connection,
    before: Situation,
    after: Situation,
    result: HandlerResult,
    expired: Sequence[Claim],
) -> Explanation:
    """The outcome of an event and its reason.

    ``known`` is the connection before the event and ``learnt`` the connection after it. ``expired`` are the
    claims whose time to be answered ended with this event.
    """
    explanation = (
        _explain_state(known, before, after, result)
        or _explain_doubt(before, after, result, expired)
        or _explain_facts(known, learnt, before, after, result)
        or _explain_data_types(known, learnt, result)
    )
    return explanation or (TimelineOutcome.NO_CHANGE, result.remark or "nothing follows for this connection")


def _explain_state(
    known: Connection, before: Situation, after: Situation, result: HandlerResult
) -> Explanation | None:
    """The public state changed, or what is shown with it."""
    if before.state != after.state:
        sentence = f"{before.state} → {after.state}"
        if after.end_expected:
            sentence = f"{sentence}; {EXPECTED_END}"
    elif before.end_expected != after.end_expected:
        sentence = EXPECTED_END if after.end_expected else "access did not end with the first sync"
    elif after.first_sync_missing and not before.first_sync_missing:
        return TimelineOutcome.APPLIED, NOTHING_QUEUED
    elif before.authorization != after.authorization:
        numbers = f"{before.authorization} → {after.authorization}"
        sentence = f"authorisations known: {numbers}; still {after.state}"
    elif result.facts and not known.facts and known.compacted_until is None:
        sentence = f"the first we know of it; {after.state}"
    else:
        return None
    return TimelineOutcome.APPLIED, _join(result, sentence)


def _explain_doubt(
    before: Situation, after: Situation, result: HandlerResult, expired: Sequence[Claim]
) -> Explanation | None:
    """The event contradicts what is known, or a claim stayed without an answer."""
    if result.doubt:
        return TimelineOutcome.DOUBT, _join(result, result.doubt)
    if not expired:
        return None
    if before.history != after.history:
        return TimelineOutcome.APPLIED, _join(result, "an alert was taken at its word")
    return TimelineOutcome.DOUBT, _join(result, "an alert that does not fit what we know was left as a doubt")


def _explain_facts(
    known: Connection, learnt: Connection, before: Situation, after: Situation, result: HandlerResult
) -> Explanation | None:
    """The event gave facts, and the public state stayed."""
    if before.history != after.history and not _is_twin_only(before, after, result.facts):
        return TimelineOutcome.APPLIED, _join(result, _describe_change(before, after))
    if result.twin:
        return TimelineOutcome.TWIN, result.remark or "this change is known already"
    return _explain_fact_without_effect(known, learnt, before, result) if result.facts else None


def _explain_data_types(known: Connection, learnt: Connection, result: HandlerResult) -> Explanation | None:
    """The event gave outcomes of data types."""
    if not result.data_types:
        return None
    if known.data_types != learnt.data_types:
        statuses = {name: outcome.status for name, outcome in known.data_types.items()}
        if any(statuses.get(name) != outcome.status for name, outcome in learnt.data_types.items()):
            return TimelineOutcome.APPLIED, _join(result, "a data type has a new outcome")
        return TimelineOutcome.NO_CHANGE, _join(result, "read again with the same outcome")
    if all(known.data_types.get(outcome.name) == outcome for outcome in result.data_types):
        return TimelineOutcome.TWIN, _join(result, "these outcomes are known already")
    return TimelineOutcome.STALE, _join(result, "newer outcomes of these data types are known")


def _is_twin_only(before: Situation, after: Situation, facts: Sequence[Fact]) -> bool:
    """Whether the facts only correct the time of a known change."""
    old, new = before.history, after.history
    had, has = before.outcome, after.outcome
    if had != has and not (had and has and had.types == has.types):
        return False
    is_same_failure = (old.failed and old.failed.at) == (new.failed and new.failed.at)
    return (
        old.link is new.link is not Link.PENDING
        and is_same_failure
        and len(old.orphaned_reads) == len(new.orphaned_reads)
        and bool(facts)
    )


def _describe_change(before: Situation, after: Situation) -> str:
    if before.authorized_at != after.authorized_at:
        return "the authorisation is known to have begun at another time"
    if before.outcome != after.outcome:
        return "the first sync read more data types"
    return "a fact was added"


def _explain_fact_without_effect(
    known: Connection, learnt: Connection, before: Situation, result: HandlerResult
) -> Explanation:
    fact = result.facts[0]
    if known.is_compacted(fact):
        return TimelineOutcome.STALE, _join(result, "it lies before what was summed up")
    if fact.identity in {other.identity for other in known.facts}:
        return TimelineOutcome.TWIN, _join(result, "this change is known already")
    if fact.kind is FactKind.SEEN and not fact.claimed:
        return TimelineOutcome.NO_CHANGE, _join(result, _describe_observation(fact, learnt))
    if fact in superseded_claims(learnt.facts):
        return TimelineOutcome.TWIN, _join(result, "a message with an exact time told of this change already")
    if _repeats_present_state(fact, before):
        return TimelineOutcome.TWIN, _join(result, "this change is known already")
    last = next((other for other in reversed(known.facts) if other.kind is not FactKind.SEEN), None)
    if last is not None and fact.at < last.at:
        return TimelineOutcome.STALE, _join(result, f"it lies before the last change ({last.kind})")
    return TimelineOutcome.NO_CHANGE, _join(result, f"it changes nothing while {before.state}")


def _describe_observation(fact: Fact, learnt: Connection) -> str:
    """Why an observation changed nothing."""
    if may_be_outdated(learnt.history, fact):
        return "it may be from before the last change: Codat is asked again"
    if fact in effective_facts(learnt.facts):
        return "what Codat shows agrees with what we know"
    return "it lies too close to an exact change, which counts instead"


def _repeats_present_state(fact: Fact, before: Situation) -> bool:
    history = before.history
    if fact.kind is FactKind.DELETED:
        return history.deleted is not None
    if fact.kind is FactKind.READ:
        return bool(history.initial_reads)
    if history.deleted:
        return False
    if history.ended:
        return fact.link_status is history.ended.status
    return (
        history.begun is not None
        and fact.link_status is LinkStatus.LINKED
        and (history.previous_end_at is None or fact.at > history.previous_end_at)
    )


def _join(result: HandlerResult, sentence: str) -> str:
    return f"{result.remark}; {sentence}" if result.remark else sentence
