"""Legacy alerts, accepted without an answer of Codat, that an exact fact supersedes."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from handlers.events import LinkStatus
from handlers.facts import ACCESS_CHANGES, CLAIM_WINDOW, COMPLETE, SEEN_TOLERANCE, Fact, FactKind

_EARLIEST = {FactKind.SEEN: -SEEN_TOLERANCE, FactKind.READ: timedelta()}
"""How much before the exact fact an alert of it may arrive: the clocks of the two sources differ."""


def superseded_claims(facts: Iterable[Fact]) -> set[Fact]:
    """The accepted alerts that an exact fact of the same meaning supersedes.

    ``facts`` are sorted. Each exact fact supersedes one alert, the earliest in its window. An alert of a
    first sync may be about another connection of the company: a read without a success supersedes it only
    within one authorisation.
    """
    facts = tuple(facts)
    claims = [fact for fact in facts if fact.claimed]
    superseded: set[Fact] = set()
    for fact in facts if claims else ():
        if fact.claimed or fact.kind not in (*ACCESS_CHANGES, FactKind.READ):
            continue
        for claim in claims:
            if claim not in superseded and _supersedes(fact, claim, facts):
                superseded.add(claim)
                break
    return superseded


def _supersedes(fact: Fact, claim: Fact, facts: Sequence[Fact]) -> bool:
    return (
        _have_same_meaning(claim, fact)
        and _EARLIEST[claim.kind] <= claim.at - fact.at <= CLAIM_WINDOW
        and (_has_success(fact) or not _access_changes_between(facts, fact, claim))
    )


def _have_same_meaning(claim: Fact, fact: Fact) -> bool:
    """Whether both are about the same change, the status before it included."""
    if fact.kind is FactKind.READ:
        return claim.kind is FactKind.READ
    if claim.link_status is not fact.link_status:
        return False
    if claim.link_status is not LinkStatus.LINKED or claim.old is None:
        return True
    return fact.kind is (FactKind.RELINKED if claim.old.has_ended else FactKind.LINKED)


def _has_success(fact: Fact) -> bool:
    return not fact.types or any(status == COMPLETE for _, status in fact.types)


def _access_changes_between(facts: Iterable[Fact], first: Fact, second: Fact) -> bool:
    return any(fact.kind in ACCESS_CHANGES and first.at < fact.at <= second.at for fact in facts)
