"""Why: the outcome of an event for a connection, in one word and in a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from handlers.connection import Connection
from handlers.effects import Decision
from handlers.explained import explained_claims
from handlers.facts import Claim, Fact, Kind
from handlers.fold import Link, may_be_outdated, outranked_left_out
from handlers.registry import Findings
from handlers.situation import Situation

EXPECTED_END = "as expected: access ended with a complete first sync, as of a connector that is read once"
NOTHING_QUEUED = (
    "no first sync follows this authorisation: Codat has queued nothing to read; it can be asked to read now"
)


class Outcome(StrEnum):
    """What a message did to a connection."""

    APPLIED = "applied"
    NO_CHANGE = "no_change"
    STALE = "stale"
    TWIN = "twin"
    DOUBT = "doubt"


@dataclass(frozen=True, slots=True)
class Entry:
    """The line on the timeline for one event and one connection."""

    before: str
    after: str
    outcome: Outcome
    reason: str
    decisions: tuple[Decision, ...] = ()


def explain(
    known: Connection,
    learnt: Connection,
    before: Situation,
    after: Situation,
    findings: Findings,
    expired: Sequence[Claim],
) -> tuple[Outcome, str]:
    """The outcome of an event and its reason.

    ``known`` and ``learnt`` are the connection before and after.
    """
    if before.state != after.state:
        turn = f"{before.state} → {after.state}"
        return Outcome.APPLIED, _join(findings, f"{turn}; {EXPECTED_END}" if after.end_expected else turn)
    if before.end_expected != after.end_expected:
        known_now = EXPECTED_END if after.end_expected else "access did not end with the first sync"
        return Outcome.APPLIED, _join(findings, known_now)
    if after.first_sync_missing and not before.first_sync_missing:
        return Outcome.APPLIED, NOTHING_QUEUED
    if before.authorization != after.authorization:
        numbers = f"{before.authorization} → {after.authorization}"
        return Outcome.APPLIED, _join(findings, f"authorisations known: {numbers}; still {after.state}")
    if findings.facts and not known.facts and known.floor is None:
        return Outcome.APPLIED, _join(findings, f"the first we know of it; {after.state}")
    if findings.doubt:
        return Outcome.DOUBT, _join(findings, findings.doubt)
    if expired:
        return _expired(before, after, findings)
    if before.walk != after.walk and not _is_twin_only(before, after, findings.facts):
        return Outcome.APPLIED, _join(findings, _what_moved(before, after))
    if findings.twin:
        return Outcome.TWIN, findings.remark or "this change is known already"
    if findings.facts:
        return _unmoved(known, learnt, before, findings)
    if findings.data_types:
        changed = known.data_types != learnt.data_types
        if changed and any(
            name not in known.data_types or known.data_types[name].status != kind.status
            for name, kind in learnt.data_types.items()
        ):
            return Outcome.APPLIED, _join(findings, "a data type has a new outcome")
        if changed:
            return Outcome.NO_CHANGE, _join(findings, "read again with the same outcome")
        same = all(known.data_types.get(kind.name) == kind for kind in findings.data_types)
        if same:
            return Outcome.TWIN, _join(findings, "these outcomes are known already")
        return Outcome.STALE, _join(findings, "newer outcomes of these data types are known")
    return Outcome.NO_CHANGE, findings.remark or "nothing follows for this connection"


def _expired(before: Situation, after: Situation, findings: Findings) -> tuple[Outcome, str]:
    if before.walk != after.walk:
        return Outcome.APPLIED, _join(findings, "an alert was taken at its word")
    return Outcome.DOUBT, _join(findings, "an alert that does not fit what we know was left as a doubt")


def _is_twin_only(before: Situation, after: Situation, facts: Sequence[Fact]) -> bool:
    """Whether facts merely say better when something happened that we knew of."""
    was, is_ = before.walk, after.walk
    if before.outcome != after.outcome and not (before.outcome and after.outcome):
        return False
    if after.outcome and before.outcome and before.outcome.types != after.outcome.types:
        return False
    same_failure = (was.failed and was.failed.at) == (is_.failed and is_.failed.at)
    return (
        was.link is is_.link is not Link.PENDING
        and same_failure
        and len(was.aside) == len(is_.aside)
        and bool(facts)
    )


def _what_moved(before: Situation, after: Situation) -> str:
    if before.authorized_at != after.authorized_at:
        return "the authorisation is known to have begun at another time"
    if before.outcome != after.outcome:
        return "the first sync read more data types"
    return "a fact was added"


def _unmoved(
    known: Connection, learnt: Connection, before: Situation, findings: Findings
) -> tuple[Outcome, str]:
    fact = findings.facts[0]
    if known.floor is not None and fact.at <= known.floor:
        return Outcome.STALE, _join(findings, "it lies before what was summed up")
    if fact.identity in {other.identity for other in known.facts}:
        return Outcome.TWIN, _join(findings, "this change is known already")
    if fact.kind is Kind.SEEN and not fact.claimed:
        if may_be_outdated(learnt.walk, fact):
            return Outcome.NO_CHANGE, _join(
                findings, "it may be from before the last change: Codat is asked again"
            )
        if fact in outranked_left_out(learnt.facts):
            return Outcome.NO_CHANGE, _join(findings, "what Codat shows agrees with what we know")
        return Outcome.NO_CHANGE, _join(
            findings, "it lies too close to an exact change, which counts instead"
        )
    if fact in explained_claims(learnt.facts):
        return Outcome.TWIN, _join(findings, "a message with an exact time told of this change already")
    if _means_the_present(fact, before):
        return Outcome.TWIN, _join(findings, "this change is known already")
    last = _last_change(known)
    if last is not None and fact.at < last.at:
        return Outcome.STALE, _join(findings, f"it lies before the last change ({last.kind})")
    return Outcome.NO_CHANGE, _join(findings, f"it changes nothing while {before.state}")


def _means_the_present(fact: Fact, before: Situation) -> bool:
    walk = before.walk
    if fact.kind is Kind.DELETED:
        return walk.deleted is not None
    if fact.kind is Kind.READ:
        return bool(walk.kept)
    if fact.link is None or walk.deleted:
        return False
    if walk.ended:
        return fact.link is walk.ended.status
    return walk.begun is not None and fact.link == "Linked" and (walk.floor is None or fact.at > walk.floor)


def _last_change(known: Connection) -> Fact | None:
    changes = [fact for fact in known.facts if fact.kind is not Kind.SEEN]
    return changes[-1] if changes else None


def _join(findings: Findings, sentence: str) -> str:
    if findings.remark and findings.remark != sentence:
        return f"{findings.remark}; {sentence}"
    return sentence
