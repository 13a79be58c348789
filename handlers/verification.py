"""Verification: which milestones wait for an answer of Codat, how long, and when Codat is asked again."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from handlers.connection import Check, Connection
from handlers.effects import Ask
from handlers.events import (
    Aspect,
    ConnectionGone,
    ConnectionSeen,
    Event,
    HistorySeen,
    QuestionUnanswered,
    Source,
)
from handlers.facts import API_LAG, SEEN_TOLERANCE, Fact, FactKind
from handlers.fold import AuthorizationHistory, lag_after, last_change, may_be_outdated
from handlers.lifecycle import remaining_visibility_lag
from handlers.milestones import Milestone, NotificationType, last_access_type
from handlers.records import replace
from handlers.registry import Context, HandlerResult

CHECK_AFTER = timedelta(seconds=3)
"""Shortest time from a change to the question about it."""

LONGEST_PAUSE = API_LAG / 2
"""Longest time between two questions while answers may be outdated."""

CONTRADICTED = "what Codat showed since contradicts it"
"""Why news waits that may be true or outdated."""

GRACE = timedelta(seconds=30)
"""A question counts as lost this long after the last possible answer."""


def is_overdue(since: datetime, event: Event, context: Context) -> bool:
    """Whether a claim or check that waits ``since`` then is decided without an answer.

    It is when Codat does not answer within the patience. Answers may be outdated for ``API_LAG`` more.
    """
    if context.now < since + context.policy.patience:
        return False
    last = since + max(context.policy.patience, API_LAG) + GRACE
    return isinstance(event, QuestionUnanswered) or context.now >= last


def is_foreign(connection: Connection, context: Context) -> bool:
    """Whether Codat never showed the company or this connection to our API key."""
    return not context.company_shown and not any(
        fact.kind is FactKind.SEEN and not fact.claimed for fact in connection.facts
    )


def reason_to_check(
    milestone: Milestone, connection: Connection, facts: Sequence[Fact], context: Context, *, foreign: bool
) -> str | None:
    """Why ``milestone`` waits for an answer of Codat; ``None`` if it does not.

    ``facts`` are the facts since the check began, those of the present event included: older observations
    confirm nothing, not even the end of which they are all that is known. ``foreign``: Codat never showed the
    company to our API key.
    """
    if not context.policy.checks or milestone.type is NotificationType.DELETED:
        return None
    if foreign:
        return "news of a company that Codat never showed us is checked with Codat first"
    is_late = (context.now - milestone.fact.at).total_seconds() > context.policy.late_after_s
    is_answer = milestone.fact.claimed or (milestone.fact.kind is FactKind.SEEN and milestone.fact in facts)
    if not is_late and (is_answer or not milestone.type.is_end):
        denial = contradicting_observation(connection)
        if denial is None or denial.at <= milestone.at + SEEN_TOLERANCE:
            return None
        return CONTRADICTED
    if _is_confirmed(milestone, connection.history, facts):
        return None
    return "late news is checked with Codat first" if is_late else "bad news is checked with Codat first"


def _is_confirmed(milestone: Milestone, history: AuthorizationHistory, facts: Sequence[Fact]) -> bool:
    """Whether one of ``facts`` is an observation that is later than the change and not outdated."""
    return any(
        fact.kind is FactKind.SEEN
        and not fact.claimed
        and fact.at > milestone.at + SEEN_TOLERANCE
        and not may_be_outdated(history, fact)
        for fact in facts
    )


def may_have_ended(milestone: Milestone, connection: Connection) -> bool:
    """Whether Codat showed an end, which was told, since a read that is all that is known of the beginning.

    What Codat showed may be the end before that beginning, so neither is certain: also without an answer in
    time nothing is told, until Codat shows access or the exact message of the beginning comes.
    """
    told = last_access_type(connection.ledger)
    if told is None or not told.is_end or milestone.fact.kind not in (FactKind.READ, FactKind.ORDINARY_READ):
        return False
    denial = contradicting_observation(connection)
    return denial is not None and denial.at >= milestone.at


def contradicting_observation(connection: Connection) -> Fact | None:
    """The newest observation, if it contradicts the last change and may be outdated; else ``None``."""
    for fact in reversed(connection.facts):
        if fact.kind is FactKind.SEEN and not fact.claimed:
            return fact if may_be_outdated(connection.history, fact) else None
    return None


def remaining_lag(before: AuthorizationHistory, connection: Connection, event: Event) -> timedelta:
    """How long Codat may still show the state before the last change; zero if it agrees with the facts."""
    if isinstance(event, ConnectionGone):
        return remaining_visibility_lag(connection, event)
    observation = contradicting_observation(connection)
    change = last_change(connection.history)
    if change is None or observation is None:
        return timedelta()
    is_from_event = isinstance(event, ConnectionSeen) and (observation.at, observation.status) == (
        event.at,
        event.status,
    )
    if is_from_event or (change is not last_change(before) and observation.at >= change.at):
        return change.at + lag_after(change) - observation.at
    return timedelta()


def retry_delay(lag: timedelta) -> timedelta:
    """How long to wait before Codat is asked again while its answers may be outdated for ``lag`` more.

    The delays grow with the age of the change, which may lie ahead where our clock and Codat's differ. The
    last one ends when the answer is certain.
    """
    return max(CHECK_AFTER, min(abs(API_LAG - lag), lag + timedelta(seconds=1), LONGEST_PAUSE))


def asks_for(
    connection: Connection,
    event: Event,
    result: HandlerResult,
    checks: Iterable[tuple[Milestone, Check]],
    context: Context,
    lag: timedelta,
) -> list[Ask]:
    """What to ask Codat about this connection: one question per aspect, with the earliest times.

    ``checks`` are the milestones that wait for an answer. ``lag``: how long Codat's answers may still be
    outdated.
    """
    policy, now = context.policy, context.now
    company_id = connection.company_id
    if not policy.can_ask or company_id is None or connection.history.deleted:
        return []
    again = now + retry_delay(lag) if event.source is Source.CODAT_API else now
    asks: list[Ask] = []

    def ask(aspect: Aspect, reason: str, not_before: datetime, deadline: datetime) -> None:
        asks.append(Ask(aspect, company_id, connection.id, not_before, deadline, reason))

    for question in result.questions:
        ask(question.aspect, question.reason, again, again + policy.patience)
    if lag > timedelta():
        ask(Aspect.CONNECTION, "Codat may not show the last change yet", again, again + policy.patience)
    if not context.company_known and not isinstance(event, (ConnectionSeen, HistorySeen)):
        ask(Aspect.CONNECTION, "the company is unknown to us", now, now + policy.patience)
    for claim in connection.claims:
        later = now + retry_delay(claim.arrived_at + API_LAG - now) if again > now else now
        reason = "an alert without a time waits for Codat's word"
        ask(claim.aspect, reason, later, claim.since + policy.patience)
    for milestone, check in checks:
        deadline = check.since + policy.patience
        wished = max(milestone.at + CHECK_AFTER, again)
        not_before = min(wished, again + CHECK_AFTER, max(again, deadline))
        ask(Aspect.CONNECTION, f"{milestone.type.value} is checked before it is told", not_before, deadline)
    return _earliest_per_aspect(asks)


def _earliest_per_aspect(asks: Iterable[Ask]) -> list[Ask]:
    """One question per aspect, with the reason of the first and the earliest times of all."""
    earliest: dict[Aspect, Ask] = {}
    for ask in asks:
        first = earliest.setdefault(ask.aspect, ask)
        earliest[ask.aspect] = replace(
            first,
            not_before=min(first.not_before, ask.not_before),
            deadline=min(first.deadline, ask.deadline),
        )
    return list(earliest.values())
