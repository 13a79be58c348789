"""Milestones: what a connection makes due, which of it is untold, and the notification of each."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from handlers.connection import MOST_RECENT, Connection, LedgerEntry
from handlers.events import LinkStatus, Problem
from handlers.facts import API_LAG, CLAIM_WINDOW, SEEN_TOLERANCE, Fact, FactKind
from handlers.fold import Link
from handlers.records import dataclass, replace
from handlers.state import Situation, State


class NotificationType(StrEnum):
    """The types of notifications."""

    AUTHORIZED = "connection.authorized"
    AUTHORIZATION_FAILED = "connection.authorization_failed"
    REAUTHORIZED = "connection.reauthorized"
    DEAUTHORIZED = "connection.deauthorized"
    UNLINKED = "connection.unlinked"
    DELETED = "connection.deleted"
    SYNC_COMPLETED = "initial_sync.completed"
    SYNC_FAILED = "initial_sync.failed"

    @property
    def is_end(self) -> bool:
        """Whether it reports the end of access, which is verified with Codat first."""
        return self in (NotificationType.DEAUTHORIZED, NotificationType.UNLINKED)


class JourneyNotificationType(StrEnum):
    """The types of notifications about a company's journey, which are no milestones of a connection."""

    PLATFORM_REQUESTED = "journey.platform_requested"


class ReminderType(StrEnum):
    """The types of reminders, which follow from what did not happen (see ``reminders``)."""

    PENDING_DAY_1 = "reminder.pending_day_1"
    PENDING_DAY_3 = "reminder.pending_day_3"
    ACCESS_LOST = "reminder.access_lost"
    CONSENT_ENDING = "reminder.consent_ending"
    READ_DUE = "reminder.read_due"


NOTIFICATION_TYPES = tuple(
    type_.value for types in (NotificationType, JourneyNotificationType, ReminderType) for type_ in types
)
"""The public names of all types."""

_BASE_TYPES: Mapping[str, NotificationType] = {
    type_: NotificationType.AUTHORIZED if type_ is NotificationType.REAUTHORIZED else type_
    for type_ in NotificationType
}
"""By type, as in the ledger: *authorized* and *reauthorized* are one kind."""


@dataclass(frozen=True, slots=True)
class Milestone:
    """Something that the client has to be told once.

    ``fact`` is the fact behind it and ``at`` its time. ``occurred_at`` is the time to show: while access
    lasts never before the authorisation began.
    """

    type: NotificationType
    at: datetime
    occurred_at: datetime
    fact: Fact


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification with its stable id, its type and its public body."""

    id: str
    type: NotificationType | JourneyNotificationType | ReminderType
    timestamp: datetime
    data: Mapping[str, Any]


def due_milestones(now: Situation) -> tuple[Milestone, ...]:
    """The milestones that the situation makes due, told or not."""
    history = now.history
    if history.deleted:
        return (Milestone(NotificationType.DELETED, history.deleted.at, history.deleted.at, history.deleted),)
    milestones: list[Milestone] = []
    if history.link is Link.LINKED:
        assert history.begun is not None
        assert history.begun_at is not None
        first = NotificationType.AUTHORIZED if history.authorization == 1 else NotificationType.REAUTHORIZED
        milestones.append(Milestone(first, history.begun.at, history.begun_at, history.begun))
        if now.outcome and now.outcome.state in (State.READY, State.SYNC_FAILED):
            sync = (
                NotificationType.SYNC_COMPLETED
                if now.outcome.state is State.READY
                else NotificationType.SYNC_FAILED
            )
            read = now.outcome.by
            milestones.append(Milestone(sync, read.at, max(read.at, history.begun_at), read))
    elif history.link is Link.ENDED:
        assert history.ended is not None
        is_revoked = history.ended.status is LinkStatus.DEAUTHORIZED
        end = NotificationType.DEAUTHORIZED if is_revoked else NotificationType.UNLINKED
        milestones.append(Milestone(end, history.ended.at, history.ended.at, history.ended))
    if history.failed:
        milestones.append(
            Milestone(
                NotificationType.AUTHORIZATION_FAILED, history.failed.at, history.failed.at, history.failed
            )
        )
    return tuple(milestones)


def untold_milestones(connection: Connection, now: Situation) -> tuple[Milestone, ...]:
    """The milestones that are due and not in the ledger."""
    ledger = connection.ledger
    recent = _recent.get(id(now))
    if recent is not None and recent[0] is now and recent[1] is ledger:
        return recent[2]
    untold = tuple(milestone for milestone in due_milestones(now) if not _was_told(milestone, ledger, now))
    if len(_recent) >= MOST_RECENT:
        _recent.clear()
    _recent[id(now)] = (now, ledger, untold)
    return untold


_recent: dict[int, tuple[Situation, tuple[LedgerEntry, ...], tuple[Milestone, ...]]] = {}
"""Untold milestones as (situation, ledger, milestones) by the identity of the situation."""


def _was_told(milestone: Milestone, ledger: tuple[LedgerEntry, ...], now: Situation) -> bool:
    """Whether the ledger has the milestone.

    A beginning or a sync outcome: the ledger has the same kind at or after the beginning of the current
    authorisation, beyond doubt if an end was told since. An end: the last entry about access is the same end;
    its time does not matter, because an alert without a time may be told later than it happened.
    """
    base_type = _BASE_TYPES[milestone.type]
    same = [entry for entry in ledger if _BASE_TYPES[entry.kind] is base_type]
    if milestone.type is NotificationType.DELETED:
        return bool(same) or not ledger
    if milestone.type.is_end:
        return last_access_type(ledger) is milestone.type
    if milestone.type is NotificationType.AUTHORIZATION_FAILED:
        return any(_reaches(entry, milestone.at) for entry in same)
    since, last = now.history.begun_at, last_access_type(ledger)
    is_exact = last is not None and last.is_end
    if (
        base_type is NotificationType.AUTHORIZED
        and same
        and not is_exact
        and _may_be_the_same(same[-1], milestone)
    ):
        return True
    reaches = _reaches_for_certain if is_exact else _reaches
    return any(since is None or reaches(entry, since) for entry in same)


def last_access_type(ledger: tuple[LedgerEntry, ...]) -> NotificationType | None:
    """The type of the last entry about access, given or ended."""
    for entry in reversed(ledger):
        kind = _BASE_TYPES[entry.kind]
        if kind is NotificationType.AUTHORIZED or kind.is_end:
            return kind
    return None


def _may_be_the_same(entry: LedgerEntry, milestone: Milestone) -> bool:
    """Whether both beginnings are only observed, so that they may be one.

    An end that arrives late can move an observed beginning to a later observation or read.
    """
    return entry.is_observed and milestone.fact.kind in (FactKind.SEEN, FactKind.READ)


def _reaches(entry: LedgerEntry, since: datetime) -> bool:
    """Whether the entry is at or after ``since``.

    An observed beginning or failure may be slightly earlier than the exact time that arrives later.
    """
    if not entry.is_observed:
        return entry.at >= since
    return entry.at + _TOLERANCE.get(_BASE_TYPES[entry.kind], timedelta()) >= since


def _reaches_for_certain(entry: LedgerEntry, since: datetime) -> bool:
    """Whether the entry is at or after ``since`` even if the observation was outdated by ``API_LAG``."""
    return entry.at - (API_LAG if entry.is_observed else timedelta()) >= since


_TOLERANCE = {
    NotificationType.AUTHORIZED: SEEN_TOLERANCE,
    NotificationType.AUTHORIZATION_FAILED: CLAIM_WINDOW,
}


def notification_id(connection: Connection, milestone: Milestone) -> str:
    """The stable id of a milestone, independent of the source of its fact.

    A milestone is told again only if a later notification proved wrong (an alert without a time that was
    misunderstood). Then it gets another id.
    """
    base_type = _BASE_TYPES[milestone.type]
    is_same = [
        _BASE_TYPES[entry.kind] is base_type and entry.at == milestone.at for entry in connection.ledger
    ]
    count = sum(is_same)
    name = f"{connection.id}\n{base_type}\n{milestone.at.isoformat()}"
    if count:
        name += f"\n{count}"
    return "ntf_" + hashlib.sha256(name.encode()).hexdigest()[:32]


def ledger_entry(milestone: Milestone, id_: str) -> LedgerEntry:
    """The ledger entry of the milestone, whose notification has this id."""
    fact = milestone.fact
    is_observed = fact.kind is FactKind.SEEN or (fact.kind is FactKind.FAILED and fact.claimed)
    return LedgerEntry(milestone.type, milestone.at, id_, is_observed)


def notification(
    connection: Connection,
    milestone: Milestone,
    id_: str,
    now: Situation,
    *,
    previous_state: str,
    timestamp: datetime,
) -> Notification:
    """The notification of the milestone; times in its body are datetimes."""
    return Notification(
        id=id_,
        type=milestone.type,
        timestamp=timestamp,
        data={
            **described(connection, now),
            "previous_state": previous_state,
            "occurred_at": milestone.occurred_at,
            "event_id": milestone.fact.event_id,
            "expected": milestone.type is NotificationType.DEAUTHORIZED and now.end_expected,
            "data_types": _data_types(milestone, now, connection),
            "error": _error(milestone.fact.problem),
        },
    )


def described(connection: Connection, now: Situation) -> dict[str, Any]:
    """What every notification about a connection says of it."""
    return {
        "merchant_id": connection.merchant_id,
        "company_id": connection.company_id,
        "connection_id": connection.id,
        "platform_key": connection.platform_key,
        "platform_name": connection.platform_name,
        "source_type": connection.source_type,
        "account_name": connection.account_name,
        "state": now.state,
        "authorization": now.authorization,
        "authorized_at": now.authorized_at,
    }


def _data_types(milestone: Milestone, now: Situation, connection: Connection) -> dict[str, Any]:
    if (
        milestone.type not in (NotificationType.SYNC_COMPLETED, NotificationType.SYNC_FAILED)
        or now.outcome is None
    ):
        return {"complete": [], "failed": {}}
    if now.outcome.types or now.authorized_at is None:
        return {"complete": list(now.outcome.complete), "failed": now.outcome.failed}
    types = {
        name: data_type.status
        for name, data_type in connection.data_types.items()
        if data_type.at >= now.authorized_at
    }
    outcome = replace(now.outcome, types=types)
    return {"complete": list(outcome.complete), "failed": outcome.failed}


def _error(problem: Problem | None) -> dict[str, Any] | None:
    if problem is None:
        return None
    return {
        "status_code": problem.status_code,
        "status_text": problem.status_text,
        "message": problem.message,
    }
