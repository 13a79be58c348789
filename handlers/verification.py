"""Checked before told: what waits for Codat's word, how long, and when Codat is asked again."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from handlers.connection import Connection
from handlers.events import ConnectionGone, ConnectionSeen, Event, QuestionUnanswered
from handlers.facts import API_LAG, SEEN_TOLERANCE, Fact, FactKind
from handlers.fold import AuthorizationHistory, lag_after, last_change, may_be_outdated
from handlers.lifecycle import remaining_visibility_lag
from handlers.milestones import Milestone, NotificationType
from handlers.registry import Context

CHECK_AFTER = timedelta(seconds=3)
"""Codat is asked about a change at the earliest this long after it."""

GRACE = timedelta(seconds=30)
"""How long after the last answer that can be awaited a question counts as lost."""


def is_overdue(since: datetime, event: Event, context: Context) -> bool:
    """Whether what waits for Codat's word since then has waited long enough.

    It has when Codat did not answer within the patience. While Codat answers, the answers
    may be outdated for a minute.
    """
    if context.now < since + context.policy.patience:
        return False
    last = since + max(context.policy.patience, API_LAG) + GRACE
    return isinstance(event, QuestionUnanswered) or context.now >= last


def is_foreign(connection: Connection, context: Context) -> bool:
    """Whether Codat never showed the company, nor this connection of it, to our key."""
    return not context.company_shown and not any(
        fact.kind is FactKind.SEEN and not fact.claimed for fact in connection.facts
    )


def reason_to_check(
    item: Milestone, connection: Connection, looks: list[Fact], context: Context, *, foreign: bool
) -> str | None:
    """Why ``item`` waits for Codat's word, ``None`` when it does not.

    ``looks`` are the facts learnt since the check began, the present one included: what was
    seen before confirms nothing. ``foreign``: Codat never showed us the company.
    """
    if not context.policy.checks or item.type is NotificationType.DELETED:
        return None
    if foreign:
        return "news of a company that Codat never showed us is checked with Codat first"
    late = (context.now - item.fact.at).total_seconds() > context.policy.late_after_s
    is_answer = item.fact.kind is FactKind.SEEN or item.fact.claimed
    if not late and (is_answer or not item.type.is_end):
        denial = contradicting_look(connection)
        if denial is None or denial.at <= item.at + SEEN_TOLERANCE or item.type.is_end:
            return None
        return "what Codat showed since contradicts it"
    if _is_confirmed(item, connection.history, looks):
        return None
    return "late news is checked with Codat first" if late else "bad news is checked with Codat first"


def _is_confirmed(item: Milestone, history: AuthorizationHistory, facts: Iterable[Fact]) -> bool:
    """Whether one of ``facts`` is a look at Codat, after the change itself and not outdated."""
    return any(
        fact.kind is FactKind.SEEN
        and not fact.claimed
        and fact.at > item.at + SEEN_TOLERANCE
        and not may_be_outdated(history, fact)
        for fact in facts
    )


def contradicting_look(connection: Connection) -> Fact | None:
    """The newest look, where it contradicts what we know and may be outdated."""
    looks = [fact for fact in connection.facts if fact.kind is FactKind.SEEN and not fact.claimed]
    return looks[-1] if looks and may_be_outdated(connection.history, looks[-1]) else None


def remaining_lag(before: AuthorizationHistory, connection: Connection, event: Event) -> timedelta:
    """How long Codat may still show what was before the last change; zero where it agrees with us."""
    if isinstance(event, ConnectionGone):
        return remaining_visibility_lag(connection, event)
    change, was = last_change(connection.history), last_change(before)
    look = contradicting_look(connection)
    if change is not None and look is not None:
        is_shown_now = isinstance(event, ConnectionSeen) and (look.at, look.status) == (
            event.at,
            event.status,
        )
        if is_shown_now or (change is not was and look.at >= change.at):
            return change.at + lag_after(change) - look.at
    return timedelta()


def pause(left: timedelta) -> timedelta:
    """How long to wait before Codat is asked again, of which the answers may be outdated for ``left``.

    The pauses grow with the age of the change, and the last one ends when the answer is certain.
    """
    return max(CHECK_AFTER, min(abs(API_LAG - left), left + timedelta(seconds=1)))
