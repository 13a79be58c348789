"""One step: a connection and an event in, everything that follows out. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from handlers import authorization, lifecycle, quota, sync
from handlers.connection import Check, Connection
from handlers.effects import Ask, CompareCompany, Decision, DecisionOutcome, Effect, Notify
from handlers.events import (
    Aspect,
    CompanyNotShown,
    ConnectionEvent,
    ConnectionSeen,
    Event,
    HistorySeen,
    LinkStatus,
    Source,
)
from handlers.facts import API_LAG, Claim
from handlers.milestones import (
    Milestone,
    Notification,
    NotificationType,
    notification,
    notification_id,
    told,
    untold_milestones,
)
from handlers.registry import Context, Doubt, HandlerResult, company_rule_for, handler_for
from handlers.state import Situation, situation
from handlers.timeline import TimelineEntry, explain
from handlers.verification import CHECK_AFTER, is_foreign, is_overdue, pause, reason_to_check, remaining_lag

SUBJECTS = (authorization, sync, lifecycle, quota)
"""The modules whose handlers the machine knows; importing them registers these."""

_SAME_SUBJECT = {
    NotificationType.REAUTHORIZED: NotificationType.AUTHORIZED,
    NotificationType.DEAUTHORIZED: NotificationType.UNLINKED,
    NotificationType.SYNC_FAILED: NotificationType.SYNC_COMPLETED,
}


@dataclass(frozen=True, slots=True)
class Transition:
    """The whole result of a step; whoever calls ``advance`` commits all of it or nothing."""

    before: Situation
    after: Situation
    connection: Connection
    effects: tuple[Effect, ...]
    entry: TimelineEntry


@dataclass(frozen=True, slots=True)
class _Waits:
    """News that is not told yet: for Codat's word (``asks``), or because what comes before it waits."""

    item: Milestone
    check: Check
    asks: bool


def company_effects(event: Event, context: Context) -> tuple[Effect, ...]:
    """What ``event`` asks for as a whole, whatever connections it touches."""
    adviser = company_rule_for(event)
    return adviser(event, context) if adviser else ()


def advance(connection: Connection, event: Event, context: Context) -> Transition:
    """Let ``connection`` learn of ``event``.

    Total: every event is accepted in every situation. Raises nothing of its own.
    """
    before = situation(connection)
    details = event.connection if isinstance(event, ConnectionEvent) else None
    connection = _on_its_platform(connection.with_description(event, details), context)
    result = handler_for(event)(connection, event, context)
    learnt = connection.with_facts(result.facts).with_data_types(result.data_types)
    learnt, expired = _claims(learnt, event, result, context)
    if result.nothing_queued is not None:
        learnt = replace(learnt, nothing_queued_at=result.nothing_queued)
    unmoved = (
        result.nothing_queued is None
        and learnt.facts is connection.facts
        and learnt.data_types is connection.data_types
    )
    after = before if unmoved else situation(learnt)
    told_now, waiting, decisions = _decide(learnt, event, before, after, context)
    quiet = event.trigger is not None and event.trigger.quiet
    known: list[Milestone] = []
    effects: list[Effect] = []
    if quiet:
        news = _news_before(connection)
        told_now, waiting, known, decisions = _record_silently(learnt, news, told_now, waiting, decisions)
    effects += [Notify(note) for note in _notifications(learnt, before, after, told_now, context)]
    left = remaining_lag(before.history, learnt, event)
    effects += _asks(learnt, event, result, waiting, context, left)
    if result.look and context.policy.can_ask and learnt.company_id is not None:
        effects.append(CompareCompany(learnt.company_id))
    learnt = replace(
        learnt,
        checks=tuple(waits.check for waits in waiting),
        ledger=(*learnt.ledger, *(told(learnt, item) for item in (*known, *told_now))),
    ).compacted()
    outcome, reason = explain(connection, learnt, before, after, result, expired)
    if event.trigger is not None:
        reason = f"{reason}; {event.trigger.reason}"
    entry = TimelineEntry(before.state.value, after.state.value, outcome, reason, tuple(decisions))
    return Transition(before, after, learnt, tuple(effects), entry)


def _on_its_platform(connection: Connection, context: Context) -> Connection:
    """``connection``, with what Codat's list of platforms says of its platform."""
    said = context.on_premise.get(connection.platform_key or "")
    return connection if said in (None, connection.on_premise) else replace(connection, on_premise=said)


def _claims(
    connection: Connection, event: Event, result: HandlerResult, context: Context
) -> tuple[Connection, list[Claim]]:
    """Open the new claims, drop the settled ones, and take those at their word that waited in vain."""
    if not connection.claims and not result.claims:
        return connection, []
    if connection.history.deleted:
        return replace(connection, claims=()), []
    known = {claim.event_id for claim in connection.claims}
    claims = [
        *(claim for claim in connection.claims if claim not in result.settled),
        *(claim for claim in result.claims if claim.event_id not in known),
    ]
    expired = [claim for claim in claims if is_overdue(claim.since, event, context)]
    for claim in expired:
        if claim.new is None or authorization.is_consistent(connection, claim):
            connection = connection.with_facts([authorization.fact_from_claim(claim)])
    connection = replace(connection, claims=tuple(claim for claim in claims if claim not in expired))
    return connection, expired


def _decide(
    connection: Connection, event: Event, before: Situation, after: Situation, context: Context
) -> tuple[list[Milestone], list[_Waits], list[Decision]]:
    """Divide what is due and untold into what is told now and what waits for Codat's word.

    What waits holds back what comes after it, so that nobody hears the sequel first.
    """
    open_checks = {(check.kind, check.at): check for check in connection.checks}
    told_now: list[Milestone] = []
    waiting: list[_Waits] = []
    decisions: list[Decision] = []
    foreign = is_foreign(connection, context)
    if foreign and isinstance(event, CompanyNotShown):
        reason = "Codat, asked with our key, does not know this company: not told"
        items = untold_milestones(connection, after)
        return [], [], [_decision(connection, item, DecisionOutcome.NOT_TOLD, reason) for item in items]
    for item in untold_milestones(connection, after):
        known = open_checks.pop((item.type.value, item.at), None)
        check = known or Check(item.type.value, item.at, context.now, before.state.value)
        looks = [
            fact
            for fact in connection.facts
            if fact.event_id == event.event_id or (known and fact.known_at >= known.since)
        ]
        over = is_overdue(check.since, event, context)
        verdict = None if over else reason_to_check(item, connection, looks, context, foreign=foreign)
        if verdict is None and not waiting:
            told_now.append(item)
            reason = "Codat was asked and does not deny it" if known else "due and not told before"
            if known and over and reason_to_check(item, connection, looks, context, foreign=foreign):
                reason = "Codat did not answer in time: told unchecked"
            decisions.append(_decision(connection, item, DecisionOutcome.TOLD, reason))
        elif known is None:
            waiting.append(_Waits(item, check, asks=verdict is not None))
            decisions.append(
                _decision(connection, item, DecisionOutcome.CHECKING, verdict or "what comes before it waits")
            )
        else:
            waiting.append(_Waits(item, known, asks=verdict is not None))
    for check in open_checks.values():
        decisions.append(
            Decision(
                check.kind, DecisionOutcome.OVERTAKEN, "no longer true when it was checked: not told", ""
            )
        )
    return told_now, waiting, decisions


def _news_before(connection: Connection) -> frozenset[NotificationType]:
    """Of what messages told that still wait for Codat's word: as checks, or as alerts without a time.

    The word may be about another moment or give another reason; it is the same news.
    """
    claimed = (
        NotificationType.SYNC_COMPLETED
        if claim.aspect is Aspect.HISTORY
        else NotificationType.UNLINKED
        if claim.new is not None and claim.new.has_ended
        else NotificationType.AUTHORIZED
        for claim in connection.claims
        if claim.new is not LinkStatus.PENDING
    )
    return frozenset(
        map(_subject, (*(NotificationType(check.kind) for check in connection.checks), *claimed))
    )


def _subject(notice: NotificationType) -> NotificationType:
    return _SAME_SUBJECT.get(notice, notice)


def _record_silently(
    connection: Connection,
    news: frozenset[NotificationType],
    told_now: list[Milestone],
    waiting: list[_Waits],
    decisions: list[Decision],
) -> tuple[list[Milestone], list[_Waits], list[Milestone], list[Decision]]:
    """What is due becomes known as it stands and is told to nobody, but for what waited already.

    That was ``news`` before we looked, and the look only says whether it is true.
    """

    def waited(item: Milestone) -> bool:
        return _subject(item.type) in news

    items = (*told_now, *(waits.item for waits in waiting))
    known = [item for item in items if not waited(item)]
    ids = {notification_id(connection, item) for item in known}
    reason = "known from a first look, not from news: not told"
    return (
        [item for item in told_now if waited(item)],
        [waits for waits in waiting if waited(waits.item)],
        known,
        [
            *(_decision(connection, item, DecisionOutcome.KNOWN, reason) for item in known),
            *(decision for decision in decisions if decision.notification_id not in ids),
        ],
    )


def _decision(connection: Connection, item: Milestone, verdict: DecisionOutcome, reason: str) -> Decision:
    return Decision(item.type.value, verdict, reason, notification_id(connection, item))


def _notifications(
    connection: Connection, before: Situation, after: Situation, items: list[Milestone], context: Context
) -> Iterable[Notification]:
    checks = {(check.kind, check.at): check for check in connection.checks}
    for item in items:
        check = checks.get((item.type.value, item.at))
        previous = check.previous_state if check else before.state.value
        yield notification(connection, item, after, previous_state=previous, timestamp=context.now)


def _asks(
    connection: Connection,
    event: Event,
    result: HandlerResult,
    waiting: list[_Waits],
    context: Context,
    left: timedelta,
) -> list[Ask]:
    """What to ask Codat about this connection; one question per aspect, the earliest wins.

    ``left``: how long Codat's answers may still be outdated.
    """
    policy, now = context.policy, context.now
    if not policy.can_ask or connection.company_id is None:
        return []
    again = now + pause(left) if event.source is Source.CODAT_API else now
    wanted: list[tuple[Doubt, datetime, datetime]] = [
        (question, again, again + policy.patience) for question in result.questions
    ]
    if left > timedelta():
        question = Doubt(Aspect.CONNECTION, "Codat may not show the last change yet")
        wanted.append((question, again, again + policy.patience))
    if not context.company_known and not isinstance(event, (ConnectionSeen, HistorySeen)):
        unknown = Doubt(Aspect.CONNECTION, "the company is unknown to us")
        wanted.append((unknown, now, now + policy.patience))
    for claim in connection.claims:
        question = Doubt(claim.aspect, "an alert without a time waits for Codat's word")
        later = now + pause(claim.arrived_at + API_LAG - now) if again > now else now
        wanted.append((question, later, claim.since + policy.patience))
    for waits in waiting:
        if waits.asks:
            deadline = waits.check.since + policy.patience
            settled = min(max(waits.item.at + CHECK_AFTER, again), again + CHECK_AFTER, max(again, deadline))
            question = Doubt(Aspect.CONNECTION, f"{waits.item.type.value} is checked before it is told")
            wanted.append((question, settled, deadline))
    if wanted and connection.history.deleted:
        return []
    earliest: dict[Aspect, Ask] = {}
    for question, not_before, deadline in wanted:
        ask = earliest.get(question.aspect)
        if ask is None:
            earliest[question.aspect] = Ask(
                question.aspect, connection.company_id, connection.id, not_before, deadline, question.reason
            )
        else:
            earliest[question.aspect] = replace(
                ask, not_before=min(ask.not_before, not_before), deadline=min(ask.deadline, deadline)
            )
    return list(earliest.values())
