"""Legacy alerts taken at their word that an exact change explains: these count for nothing."""

from collections.abc import Iterable
from datetime import timedelta

from handlers.events import LinkStatus
from handlers.facts import CLAIM_WINDOW, COMPLETE, SEEN_TOLERANCE, Fact, FactKind

_NO_EARLIER = {FactKind.SEEN: -SEEN_TOLERANCE, FactKind.READ: timedelta()}
"""How much before the exact change an alert of it may arrive: clocks differ, causes do not."""


def _means(claim: Fact, fact: Fact) -> bool:
    """Whether the alert tells of that very change.

    What it says was before counts, too.
    """
    if FactKind.READ in (claim.kind, fact.kind):
        return claim.kind is fact.kind
    if claim.link is not fact.link:
        return False
    if claim.link is not LinkStatus.LINKED or claim.old is None:
        return True
    return fact.kind is (FactKind.RELINKED if claim.old.has_ended else FactKind.LINKED)


def explained_claims(facts: Iterable[Fact]) -> set[Fact]:
    """The alerts taken at their word that an exact fact of the same meaning explains.

    ``facts`` are sorted. Each exact fact explains one alert, the earliest in its window. An alert of
    a first sync says that something was read, perhaps of another connection of the company: a read
    that brought nothing explains it only within one authorisation.
    """
    facts = tuple(facts)
    claims = [fact for fact in facts if fact.claimed]
    explained: set[Fact] = set()
    for fact in facts if claims else ():
        if fact.claimed or fact.kind not in (
            FactKind.LINKED,
            FactKind.RELINKED,
            FactKind.ENDED,
            FactKind.READ,
        ):
            continue
        for claim in claims:
            if (
                claim not in explained
                and _means(claim, fact)
                and _NO_EARLIER[claim.kind] <= claim.at - fact.at <= CLAIM_WINDOW
                and (_brought_something(fact) or not _changes_between(facts, fact, claim))
            ):
                explained.add(claim)
                break
    return explained


def _brought_something(fact: Fact) -> bool:
    return (
        fact.kind is not FactKind.READ
        or not fact.types
        or any(status == COMPLETE for _, status in fact.types)
    )


def _changes_between(facts: Iterable[Fact], first: Fact, second: Fact) -> bool:
    """Whether access began or ended between the two."""
    changes = (FactKind.LINKED, FactKind.RELINKED, FactKind.ENDED)
    return any(fact.kind in changes and first.at < fact.at <= second.at for fact in facts)
