"""One step of the machine: a connection and an event in, the new connection and its effects out. Pure."""

from collections.abc import Iterable
from dataclasses import field

from handlers import authorization, lifecycle, quota, sync
from handlers.connection import Check, Connection
from handlers.effects import CompareCompany, Decision, DecisionOutcome, Effect, Notify
from handlers.events import (
    Aspect,
    CompanyNotShown,
    ConnectionEvent,
    Event,
    LinkStatus,
)
from handlers.facts import Claim
from handlers.milestones import (
    Milestone,
    Notification,
    NotificationType,
    ledger_entry,
    notification,
    notification_id,
    untold_milestones,
)
from handlers.records import dataclass, replace
from handlers.registry import Context, HandlerResult, company_rule_for, handler_for
from handlers.state import Situation, situation
from handlers.timeline import TimelineEntry, explain
from handlers.verification import (
    CONTRADICTED,
    asks_for,
    is_foreign,
    is_overdue,
    may_have_ended,
    reason_to_check,
    remaining_lag,
)

SUBJECTS = (authorization, sync, lifecycle, quota)
"""The modules with handlers; importing them registers these."""

_SUBJECT = {
    NotificationType.REAUTHORIZED: NotificationType.AUTHORIZED,
    NotificationType.DEAUTHORIZED: NotificationType.UNLINKED,
    NotificationType.SYNC_FAILED: NotificationType.SYNC_COMPLETED,
}
"""Notifications about the same subject, by one of them."""


@dataclass(frozen=True, slots=True)
class Transition:
    """The whole result of a step; the caller of ``advance`` commits all of it or nothing."""

    before: Situation
    after: Situation
    connection: Connection
    effects: tuple[Effect, ...]
    entry: TimelineEntry


@dataclass(frozen=True, slots=True)
class _PendingMilestone:
    """A milestone that is not told yet, for an answer of Codat (``asks``) or because an earlier one waits."""

    milestone: Milestone
    id: str
    check: Check
    asks: bool


@dataclass(frozen=True, slots=True)
class _MilestonePlan:
    """What happens to the untold milestones, those to tell with the ids of their notifications.

    ``silent`` ones are recorded as told without being sent.
    """

    told: list[tuple[Milestone, str]] = field(default_factory=list)
    pending: list[_PendingMilestone] = field(default_factory=list)
    silent: list[tuple[Milestone, str]] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)


def company_effects(event: Event, context: Context) -> tuple[Effect, ...]:
    """The effects of ``event`` on its company or client as a whole."""
    rule = company_rule_for(event)
    return rule(event, context) if rule else ()


def advance(connection: Connection, event: Event, context: Context) -> Transition:
    """Apply ``event`` to ``connection``. Every event is accepted in every situation."""
    before = situation(connection)
    details = event.connection if isinstance(event, ConnectionEvent) else None
    connection = _with_platform(connection.with_description(event, details), context)
    result = handler_for(event)(connection, event, context)
    learnt = connection.with_facts(result.facts).with_data_types(result.data_types)
    learnt, expired = _settle_claims(learnt, event, result, context)
    if result.nothing_queued is not None:
        learnt = replace(learnt, nothing_queued_at=result.nothing_queued)
    is_unchanged = (
        result.nothing_queued is None
        and learnt.facts is connection.facts
        and learnt.data_types is connection.data_types
    )
    after = before if is_unchanged else situation(learnt)
    plan = _decide(learnt, event, before, after, context)
    if event.trigger is not None and event.trigger.quiet:
        plan = _record_silently(_pending_subjects(connection), plan)
    effects: list[Effect] = []
    if plan.told:
        effects += map(Notify, _notifications(learnt, before, after, plan.told, context))
    checks = [(pending.milestone, pending.check) for pending in plan.pending if pending.asks]
    lag = remaining_lag(before.history, learnt, event)
    effects += asks_for(learnt, event, result, checks, context, lag)
    if result.compare_company and context.policy.can_ask and learnt.company_id is not None:
        effects.append(CompareCompany(learnt.company_id))
    checked = tuple(pending.check for pending in plan.pending)
    entries = tuple(ledger_entry(*identified) for identified in (*plan.silent, *plan.told))
    if entries or checked != learnt.checks:
        learnt = replace(learnt, checks=checked, ledger=(*learnt.ledger, *entries))
    learnt = learnt.compacted()
    outcome, reason = explain(connection, learnt, before, after, result, expired)
    if event.trigger is not None:
        reason = f"{reason}; {event.trigger.reason}"
    entry = TimelineEntry(before.state, after.state, outcome, reason, tuple(plan.decisions))
    return Transition(before, after, learnt, tuple(effects), entry)


def _with_platform(connection: Connection, context: Context) -> Connection:
    """``connection`` with what Codat's list of platforms says of its platform."""
    on_premise = context.on_premise.get(connection.platform_key or "")
    is_known = on_premise in (None, connection.on_premise)
    return connection if is_known else replace(connection, on_premise=on_premise)


def _settle_claims(
    connection: Connection, event: Event, result: HandlerResult, context: Context
) -> tuple[Connection, list[Claim]]:
    """Add new claims, drop settled ones, and accept consistent ones that are overdue.

    The second value are the overdue claims.
    """
    if not connection.claims and not result.claims:
        return connection, []
    if connection.history.deleted:
        return replace(connection, claims=()), []
    event_ids = {claim.event_id for claim in connection.claims}
    claims = [
        *(claim for claim in connection.claims if claim not in result.settled),
        *(claim for claim in result.claims if claim.event_id not in event_ids),
    ]
    expired = [claim for claim in claims if is_overdue(claim.since, event, context)]
    for claim in expired:
        if claim.new is None or authorization.is_consistent(connection, claim):
            connection = connection.with_facts([authorization.fact_from_claim(claim)])
    connection = replace(connection, claims=tuple(claim for claim in claims if claim not in expired))
    return connection, expired


def _decide(
    connection: Connection, event: Event, before: Situation, after: Situation, context: Context
) -> _MilestonePlan:
    """Divide the untold milestones into those that are told now and those that wait for Codat.

    A milestone that waits holds back the later ones, so that they are told in order.
    """
    plan = _MilestonePlan()
    milestones = untold_milestones(connection, after)
    if not milestones and not connection.checks:
        return plan
    is_foreign_company = is_foreign(connection, context)
    if is_foreign_company and isinstance(event, CompanyNotShown):
        reason = "Codat, asked with our key, does not know this company: not told"
        for milestone in milestones:
            id_ = notification_id(connection, milestone)
            plan.decisions.append(Decision(milestone.type, DecisionOutcome.NOT_TOLD, reason, id_))
        return plan
    open_checks = {(check.kind, check.at): check for check in connection.checks}
    for milestone in milestones:
        id_ = notification_id(connection, milestone)
        open_check = open_checks.pop((milestone.type, milestone.at), None)
        check = open_check or Check(milestone.type, milestone.at, context.now, before.state)
        facts = [
            fact
            for fact in connection.facts
            if fact.event_id == event.event_id or (open_check and fact.known_at >= check.since)
        ]
        obstacle = reason_to_check(milestone, connection, facts, context, foreign=is_foreign_company)
        waits = obstacle is not None and not is_overdue(check.since, event, context)
        is_unsure = may_have_ended(milestone, connection)
        if not waits and not is_unsure and not plan.pending:
            plan.told.append((milestone, id_))
            reason = _reason_to_tell(open_check, obstacle)
            plan.decisions.append(Decision(milestone.type, DecisionOutcome.TOLD, reason, id_))
            continue
        plan.pending.append(_PendingMilestone(milestone, id_, check, asks=waits))
        if open_check is None:
            reason = obstacle or (CONTRADICTED if is_unsure else "what comes before it waits")
            plan.decisions.append(Decision(milestone.type, DecisionOutcome.CHECKING, reason, id_))
    reason = "no longer true when it was checked: not told"
    for check in open_checks.values():
        plan.decisions.append(Decision(check.kind, DecisionOutcome.OVERTAKEN, reason, ""))
    return plan


def _reason_to_tell(open_check: Check | None, obstacle: str | None) -> str:
    if open_check is None:
        return "due and not told before"
    if obstacle is not None:
        return "Codat did not answer in time: told unchecked"
    return "Codat was asked and does not deny it"


def _pending_subjects(connection: Connection) -> frozenset[NotificationType]:
    """The subjects of the open checks and claims, which messages reported.

    Codat's answer may give another time or another reason; the subject is the same.
    """
    types = [NotificationType(check.kind) for check in connection.checks]
    for claim in connection.claims:
        if claim.aspect is Aspect.HISTORY:
            types.append(NotificationType.SYNC_COMPLETED)
        elif claim.new is not None and claim.new.has_ended:
            types.append(NotificationType.UNLINKED)
        elif claim.new is not LinkStatus.PENDING:
            types.append(NotificationType.AUTHORIZED)
    return frozenset(map(_subject, types))


def _subject(type_: NotificationType) -> NotificationType:
    return _SUBJECT.get(type_, type_)


def _record_silently(pending_subjects: frozenset[NotificationType], plan: _MilestonePlan) -> _MilestonePlan:
    """Record due milestones as told without sending them, except those already awaiting verification."""

    def was_reported(milestone: Milestone) -> bool:
        return _subject(milestone.type) in pending_subjects

    untold = (*plan.told, *((pending.milestone, pending.id) for pending in plan.pending))
    silent = [(milestone, id_) for milestone, id_ in untold if not was_reported(milestone)]
    ids = {id_ for _, id_ in silent}
    reason = "known from a first look, not from news: not told"
    return _MilestonePlan(
        told=[(milestone, id_) for milestone, id_ in plan.told if was_reported(milestone)],
        pending=[pending for pending in plan.pending if was_reported(pending.milestone)],
        silent=silent,
        decisions=[
            *(Decision(milestone.type, DecisionOutcome.KNOWN, reason, id_) for milestone, id_ in silent),
            *(decision for decision in plan.decisions if decision.notification_id not in ids),
        ],
    )


def _notifications(
    connection: Connection,
    before: Situation,
    after: Situation,
    milestones: Iterable[tuple[Milestone, str]],
    context: Context,
) -> Iterable[Notification]:
    checks = {(check.kind, check.at): check for check in connection.checks}
    for milestone, id_ in milestones:
        check = checks.get((milestone.type, milestone.at))
        state = check.previous_state if check else before.state
        yield notification(connection, milestone, id_, after, previous_state=state, timestamp=context.now)
