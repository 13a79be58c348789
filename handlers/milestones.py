"""What is told: what the fold says is due now, minus what has been told."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from handlers.connection import Connection, LedgerEntry
from handlers.events import LinkStatus, Problem
from handlers.facts import API_LAG, CLAIM_WINDOW, SEEN_TOLERANCE, Fact, FactKind
from handlers.fold import Link
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
        """Whether it tells that access ended, which is checked with Codat first."""
        return self in (NotificationType.DEAUTHORIZED, NotificationType.UNLINKED)


_SAME_KIND = {NotificationType.REAUTHORIZED: NotificationType.AUTHORIZED}


@dataclass(frozen=True, slots=True)
class Milestone:
    """A milestone that ought to be known to everybody.

    ``at`` is the time of the fact it rests on (``ground``), ``occurred_at`` the time
    to show: never before the authorisation began while access lasts.
    """

    type: NotificationType
    at: datetime
    occurred_at: datetime
    fact: Fact


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification, ready to be written: its stable id, its type, and its public body."""

    id: str
    type: NotificationType
    timestamp: datetime
    data: Mapping[str, Any]


def due(now: Situation) -> tuple[Milestone, ...]:
    """What the situation makes due, whether or not it was told."""
    history = now.history
    if history.deleted:
        return (Milestone(NotificationType.DELETED, history.deleted.at, history.deleted.at, history.deleted),)
    owed: list[Milestone] = []
    if history.link is Link.LINKED:
        assert history.begun is not None
        assert history.begun_at is not None
        first = NotificationType.AUTHORIZED if history.authorization == 1 else NotificationType.REAUTHORIZED
        owed.append(Milestone(first, history.begun.at, history.begun_at, history.begun))
        if now.outcome and now.outcome.state in (State.READY, State.SYNC_FAILED):
            notice = (
                NotificationType.SYNC_COMPLETED
                if now.outcome.state is State.READY
                else NotificationType.SYNC_FAILED
            )
            read = now.outcome.by
            owed.append(Milestone(notice, read.at, max(read.at, history.begun_at), read))
    elif history.link is Link.ENDED:
        assert history.ended is not None
        revoked = history.ended.status is LinkStatus.DEAUTHORIZED
        notice = NotificationType.DEAUTHORIZED if revoked else NotificationType.UNLINKED
        owed.append(Milestone(notice, history.ended.at, history.ended.at, history.ended))
    if history.failed:
        owed.append(
            Milestone(
                NotificationType.AUTHORIZATION_FAILED, history.failed.at, history.failed.at, history.failed
            )
        )
    return tuple(owed)


def untold_milestones(connection: Connection, now: Situation) -> tuple[Milestone, ...]:
    """What is due and was not told yet."""
    return tuple(item for item in due(now) if not _was_told(item, connection.ledger, now))


def _was_told(item: Milestone, ledger: tuple[LedgerEntry, ...], now: Situation) -> bool:
    """Whether the ledger has it.

    A beginning or a sync outcome: the same kind at or after the beginning of the current
    authorisation, for certain where an end was told since. An end: when the last thing told of
    access already said so; times do not count there, since an alert without a time may be told
    later than it happened.
    """
    same = [entry for entry in ledger if _kind(NotificationType(entry.kind)) is _kind(item.type)]
    if item.type is NotificationType.DELETED:
        return bool(same) or not ledger
    if item.type.is_end:
        return _last_said_of_access(ledger) is item.type
    if item.type is NotificationType.AUTHORIZATION_FAILED:
        return any(_reaches(entry, item.at) for entry in same)
    since, last = now.history.begun_at, _last_said_of_access(ledger)
    exactly = last is not None and last.is_end
    if (
        _kind(item.type) is NotificationType.AUTHORIZED
        and same
        and not exactly
        and _may_be_the_same(same[-1], item)
    ):
        return True
    reaches = _reaches_for_certain if exactly else _reaches
    return any(since is None or reaches(entry, since) for entry in same)


def _last_said_of_access(ledger: tuple[LedgerEntry, ...]) -> NotificationType | None:
    """The last thing told about access, given or ended, as its kind."""
    for entry in reversed(ledger):
        kind = _kind(NotificationType(entry.kind))
        if kind is NotificationType.AUTHORIZED or kind.is_end:
            return kind
    return None


def _may_be_the_same(entry: LedgerEntry, item: Milestone) -> bool:
    """Whether both beginnings were only seen, so that nothing says that they are two.

    An end that is learnt late may place the beginning that was told at a later look, or at a read.
    """
    return entry.is_observed and item.fact.kind in (FactKind.SEEN, FactKind.READ)


def _reaches(entry: LedgerEntry, since: datetime) -> bool:
    """Whether the entry lies at or after ``since``.

    A beginning or a failure that we only saw may be told a moment before the exact change is known to lie.
    """
    if not entry.is_observed:
        return entry.at >= since
    tolerance = {
        NotificationType.AUTHORIZED: SEEN_TOLERANCE,
        NotificationType.AUTHORIZATION_FAILED: CLAIM_WINDOW,
    }
    return entry.at + tolerance.get(_kind(NotificationType(entry.kind)), timedelta()) >= since


def _reaches_for_certain(entry: LedgerEntry, since: datetime) -> bool:
    """The same, where what we only saw may have been so as long before as Codat's API lags."""
    return entry.at - (API_LAG if entry.is_observed else timedelta()) >= since


def _kind(notice: NotificationType) -> NotificationType:
    return _SAME_KIND.get(notice, notice)


def notification_id(connection: Connection, item: Milestone) -> str:
    """The stable id of a milestone: the same whenever and by whatever road it is learnt.

    A milestone is told again only when something told after it proved wrong (an alert
    without a time that was misunderstood); then it has an id of its own.
    """
    named = f"{connection.id}\n{_kind(item.type)}\n{item.at.isoformat()}"
    before = sum(entry.kind == item.type and entry.at == item.at for entry in connection.ledger)
    if before:
        named += f"\n{before}"
    return "ntf_" + hashlib.sha256(named.encode()).hexdigest()[:32]


def told(connection: Connection, item: Milestone) -> LedgerEntry:
    """The ledger entry for ``item``."""
    is_observed = item.fact.kind is FactKind.SEEN or (item.fact.kind is FactKind.FAILED and item.fact.claimed)
    return LedgerEntry(item.type.value, item.at, notification_id(connection, item), is_observed)


def notification(
    connection: Connection, item: Milestone, now: Situation, *, previous_state: str, timestamp: datetime
) -> Notification:
    """Write the notification that tells ``item``; times in it are datetimes, still to be rendered."""
    return Notification(
        id=notification_id(connection, item),
        type=item.type,
        timestamp=timestamp,
        data={
            "merchant_id": connection.merchant_id,
            "company_id": connection.company_id,
            "connection_id": connection.id,
            "platform_key": connection.platform_key,
            "platform_name": connection.platform_name,
            "source_type": connection.source_type,
            "state": now.state.value,
            "previous_state": previous_state,
            "authorization": now.authorization,
            "authorized_at": now.authorized_at,
            "occurred_at": item.occurred_at,
            "event_id": item.fact.event_id,
            "expected": item.type is NotificationType.DEAUTHORIZED and now.end_expected,
            "data_types": _data_types(item, now, connection),
            "error": _error(item.fact.problem),
        },
    )


def _data_types(item: Milestone, now: Situation, connection: Connection) -> dict[str, Any]:
    if (
        item.type not in (NotificationType.SYNC_COMPLETED, NotificationType.SYNC_FAILED)
        or now.outcome is None
    ):
        return {"complete": [], "failed": {}}
    if now.outcome.types or now.authorized_at is None:
        return {"complete": list(now.outcome.complete), "failed": now.outcome.failed}
    begun_at = now.authorized_at
    types = {name: kind.status for name, kind in connection.data_types.items() if kind.at >= begun_at}
    unsaid = type(now.outcome)(now.outcome.state, types, now.outcome.by)
    return {"complete": list(unsaid.complete), "failed": unsaid.failed}


def _error(problem: Problem | None) -> dict[str, Any] | None:
    if problem is None:
        return None
    return {
        "status_code": problem.status_code,
        "status_text": problem.status_text,
        "message": problem.message,
    }
