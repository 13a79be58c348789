"""Access: chosen, given, refused, ended, given again, and what Codat shows of it."""

from handlers.connection import Connection, link_status
from handlers.events import (
    Aspect,
    CompanyNotShown,
    ConnectionCreated,
    ConnectionEnded,
    ConnectionFailed,
    ConnectionLinked,
    ConnectionRelinked,
    ConnectionSeen,
    LinkStatus,
    LinkStatusClaimed,
    QuestionUnanswered,
    Source,
)
from handlers.facts import API_LAG, CLAIM_WINDOW, Claim, Fact, FactKind
from handlers.registry import Context, Doubt, HandlerResult, on
from handlers.superseded import superseded_claims


@on(ConnectionCreated)
def chosen(connection: Connection, event: ConnectionCreated, context: Context) -> HandlerResult:
    """The connection exists; nobody has given access yet."""
    return HandlerResult(facts=(Fact(FactKind.CREATED, event.at, event.received_at, event.event_id),))


@on(ConnectionLinked)
def linked(connection: Connection, event: ConnectionLinked, context: Context) -> HandlerResult:
    """Access was given for the first time."""
    return HandlerResult(facts=(Fact(FactKind.LINKED, event.at, event.received_at, event.event_id),))


@on(ConnectionRelinked)
def relinked(connection: Connection, event: ConnectionRelinked, context: Context) -> HandlerResult:
    """Access was given again after it had ended."""
    return HandlerResult(facts=(Fact(FactKind.RELINKED, event.at, event.received_at, event.event_id),))


@on(ConnectionFailed)
def failed(connection: Connection, event: ConnectionFailed, context: Context) -> HandlerResult:
    """An attempt to give access failed.

    What Codat's API shows of it carries a time that may differ from the message's by moments.
    """
    if event.source is Source.CODAT_API:
        known = (fact for fact in connection.facts if fact.kind is FactKind.FAILED)
        if any(abs(fact.at - event.at) <= CLAIM_WINDOW for fact in known):
            return HandlerResult(remark="this failed attempt is known already", twin=True)
        fact = Fact(
            FactKind.FAILED, event.at, event.received_at, event.event_id, problem=event.problem, claimed=True
        )
        return HandlerResult(facts=(fact,), remark="Codat shows a failed attempt")
    return HandlerResult(
        facts=(Fact(FactKind.FAILED, event.at, event.received_at, event.event_id, problem=event.problem),)
    )


@on(ConnectionEnded)
def ended(connection: Connection, event: ConnectionEnded, context: Context) -> HandlerResult:
    """Access ended: revoked, expired, or given up by the client."""
    fact = Fact(
        FactKind.ENDED,
        event.at,
        event.received_at,
        event.event_id,
        status=event.reason,
        problem=event.problem,
    )
    return HandlerResult(facts=(fact,))


@on(ConnectionSeen)
def seen(connection: Connection, event: ConnectionSeen, context: Context) -> HandlerResult:
    """Codat shows the status of the connection.

    Claims about the status are settled by it when it agrees, or when it was asked
    so long after the alert that Codat cannot be behind its own alert.
    """
    settled = tuple(
        claim
        for claim in connection.claims
        if claim.aspect is Aspect.CONNECTION
        and (event.status is claim.new or event.received_at >= claim.arrived_at + API_LAG)
    )
    fact = Fact(FactKind.SEEN, event.at, event.received_at, event.event_id, status=event.status)
    return HandlerResult(facts=(fact,), settled=settled, remark=f"Codat shows {event.status}")


@on(LinkStatusClaimed)
def claimed(connection: Connection, event: LinkStatusClaimed, context: Context) -> HandlerResult:
    """A legacy alert says that the status changed, but not when: ask Codat.

    Where Codat cannot be asked, or is given no time to answer, the alert is taken
    at its word if it fits what we know, and otherwise left as a doubt.
    """
    claim = Claim(event.event_id, event.received_at, context.now, event.old, event.new)
    now = link_status(connection.history)
    change = f"{event.old or 'unknown'} → {event.new}"
    if now is None:
        return HandlerResult(remark="the connection is deleted for good")
    if _is_explained(connection, claim):
        return HandlerResult(
            facts=(fact_from_claim(claim),), remark=f"{change} is known already, exactly", twin=True
        )
    if event.new is now and not (event.old and event.old.has_ended and now is LinkStatus.LINKED):
        return HandlerResult(remark=f"{change} is known already", twin=True)
    fits = is_consistent(connection, claim)
    doubt = None if fits else f"the alert says {change}, we know {now}"
    if context.policy.checks:
        return HandlerResult(
            claims=(claim,),
            questions=(Doubt(Aspect.CONNECTION, f"an alert without a time says {change}"),),
            doubt=doubt,
            remark=f"an alert without a time says {change}: Codat is asked",
        )
    questions = (Doubt(Aspect.CONNECTION, f"an alert without a time says {change}"),)
    return HandlerResult(
        facts=(fact_from_claim(claim),) if fits else (),
        questions=questions if context.policy.can_ask else (),
        doubt=doubt,
        remark=f"{change}, taken at its word" if fits else None,
    )


@on(QuestionUnanswered)
def unanswered(connection: Connection, event: QuestionUnanswered, context: Context) -> HandlerResult:
    """Codat did not answer in time; what waited for it is settled by the passing of time."""
    return HandlerResult(remark=f"Codat did not answer a question about the {event.aspect}")


@on(CompanyNotShown)
def company_not_shown(connection: Connection, event: CompanyNotShown, context: Context) -> HandlerResult:
    """Codat does not know the company; an alert about it that waits for Codat's word is dropped.

    A company that Codat showed to our key before counts as an answer that is still to come.
    """
    if context.company_shown:
        return unanswered(connection, event, context)
    return HandlerResult(
        settled=connection.claims, remark="Codat, asked with our key, does not know this company"
    )


def is_consistent(connection: Connection, claim: Claim) -> bool:
    """Whether the claim starts from the status that the fold says."""
    now = link_status(connection.history)
    if claim.old is None:
        return now is LinkStatus.PENDING
    return claim.old is now


def fact_from_claim(claim: Claim) -> Fact:
    """The fact that a claim amounts to when Codat cannot be asked: at its arrival."""
    read = FactKind.ORDINARY_READ if claim.ordinary else FactKind.READ
    kind = read if claim.new is None else FactKind.SEEN
    return Fact(
        kind,
        claim.arrived_at,
        claim.arrived_at,
        claim.event_id,
        status=claim.new,
        claimed=True,
        old=claim.old,
    )


def _is_explained(connection: Connection, claim: Claim) -> bool:
    fact = fact_from_claim(claim)
    return fact in superseded_claims(sorted((*connection.facts, fact), key=lambda fact: fact.order))
