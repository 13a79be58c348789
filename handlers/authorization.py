"""Handlers of access: created, authorised, failed, ended, authorised again, and what Codat's API shows."""

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
def connection_created(connection: Connection, event: ConnectionCreated, context: Context) -> HandlerResult:
    """The connection exists without access."""
    return HandlerResult(facts=(Fact(FactKind.CREATED, event.at, event.received_at, event.event_id),))


@on(ConnectionLinked)
def connection_linked(connection: Connection, event: ConnectionLinked, context: Context) -> HandlerResult:
    """Access was given for the first time."""
    return HandlerResult(facts=(Fact(FactKind.LINKED, event.at, event.received_at, event.event_id),))


@on(ConnectionRelinked)
def connection_relinked(connection: Connection, event: ConnectionRelinked, context: Context) -> HandlerResult:
    """Access was given again after it had ended."""
    return HandlerResult(facts=(Fact(FactKind.RELINKED, event.at, event.received_at, event.event_id),))


@on(ConnectionFailed)
def connection_failed(connection: Connection, event: ConnectionFailed, context: Context) -> HandlerResult:
    """An attempt to authorise failed.

    Codat's API may show it with a slightly different time than the message.
    """
    if event.source is Source.CODAT_API:
        failures = (fact for fact in connection.facts if fact.kind is FactKind.FAILED)
        if any(abs(failure.at - event.at) <= CLAIM_WINDOW for failure in failures):
            return HandlerResult(remark="this failed attempt is known already", twin=True)
        fact = Fact(
            FactKind.FAILED, event.at, event.received_at, event.event_id, problem=event.problem, claimed=True
        )
        return HandlerResult(facts=(fact,), remark="Codat shows a failed attempt")
    return HandlerResult(
        facts=(Fact(FactKind.FAILED, event.at, event.received_at, event.event_id, problem=event.problem),)
    )


@on(ConnectionEnded)
def connection_ended(connection: Connection, event: ConnectionEnded, context: Context) -> HandlerResult:
    """Access ended: it was revoked, it expired, or the client gave it up."""
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
def connection_seen(connection: Connection, event: ConnectionSeen, context: Context) -> HandlerResult:
    """Codat's API shows the status of the connection.

    It settles a claim about the status if it agrees, or if it was received more than ``API_LAG`` after it.
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
def link_status_claimed(connection: Connection, event: LinkStatusClaimed, context: Context) -> HandlerResult:
    """A legacy alert gives a change of the status without a time: ask Codat.

    If Codat cannot be asked, or is given no time to answer, the alert is accepted if it is consistent with
    the known status. Otherwise it is a doubt.
    """
    claim = Claim(event.event_id, event.received_at, context.now, event.old, event.new)
    status = link_status(connection.history)
    change = f"{event.old or 'unknown'} → {event.new}"
    if status is None:
        return HandlerResult(remark="the connection is deleted for good")
    if _is_superseded(connection, claim):
        return HandlerResult(
            facts=(fact_from_claim(claim),), remark=f"{change} is known already, exactly", twin=True
        )
    if event.new is status and not (event.old and event.old.has_ended and status is LinkStatus.LINKED):
        return HandlerResult(remark=f"{change} is known already", twin=True)
    is_accepted = is_consistent(connection, claim)
    doubt = None if is_accepted else f"the alert says {change}, we know {status}"
    question = Doubt(Aspect.CONNECTION, f"an alert without a time says {change}")
    if context.policy.checks:
        return HandlerResult(
            claims=(claim,),
            questions=(question,),
            doubt=doubt,
            remark=f"an alert without a time says {change}: Codat is asked",
        )
    return HandlerResult(
        facts=(fact_from_claim(claim),) if is_accepted else (),
        questions=(question,) if context.policy.can_ask else (),
        doubt=doubt,
        remark=f"{change}, taken at its word" if is_accepted else None,
    )


@on(QuestionUnanswered)
def question_unanswered(connection: Connection, event: QuestionUnanswered, context: Context) -> HandlerResult:
    """Codat did not answer in time; overdue claims and checks are decided by the machine."""
    return HandlerResult(remark=f"Codat did not answer a question about the {event.aspect}")


@on(CompanyNotShown)
def company_not_shown(connection: Connection, event: CompanyNotShown, context: Context) -> HandlerResult:
    """Codat does not show the company to our API key: drop its open claims.

    If Codat showed the company before, the question counts as unanswered.
    """
    if context.company_shown:
        return question_unanswered(connection, event, context)
    return HandlerResult(
        settled=connection.claims, remark="Codat, asked with our key, does not know this company"
    )


def is_consistent(connection: Connection, claim: Claim) -> bool:
    """Whether the claim starts from the known status."""
    return (claim.old or LinkStatus.PENDING) is link_status(connection.history)


def fact_from_claim(claim: Claim) -> Fact:
    """The fact for a claim that is accepted without an answer of Codat, at the time of its arrival."""
    read = FactKind.ORDINARY_READ if claim.ordinary else FactKind.READ
    return Fact(
        read if claim.new is None else FactKind.SEEN,
        claim.arrived_at,
        claim.arrived_at,
        claim.event_id,
        status=claim.new,
        claimed=True,
        old=claim.old,
    )


def _is_superseded(connection: Connection, claim: Claim) -> bool:
    fact = fact_from_claim(claim)
    return fact in superseded_claims(sorted((*connection.facts, fact), key=lambda fact: fact.order))
