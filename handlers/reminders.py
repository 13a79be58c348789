"""Reminders: what a company is reminded of, when, and each at most once."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo

from handlers.connection import Connection
from handlers.events import LinkStatus
from handlers.facts import COMPLETE
from handlers.milestones import Notification, ReminderType, described
from handlers.records import dataclass
from handlers.state import LINKED_STATES, Situation, State, situation

DAY = timedelta(days=1)

READ_WITHIN = timedelta(days=25)
"""Codat advises to read once a month at least, because a platform's token may run out otherwise."""

_NOT_LATER = {
    ReminderType.PENDING_DAY_1: 3 * DAY,
    ReminderType.PENDING_DAY_3: 7 * DAY,
    ReminderType.ACCESS_LOST: 14 * DAY,
}
"""How long after its subject a reminder is still of use: no old ones follow when the clock was down."""

_ACCOUNTING = "accounting"
"""The source type of which a company has one active connection."""

Told = Mapping[str, datetime]
"""Per reminder and connection (``Reminder.key``): the time of what the last one was about."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """The hours without reminders: from ``start`` to before ``end`` in ``zone``; equal times mean none."""

    start: time
    end: time
    zone: tzinfo = UTC

    def end_after(self, moment: datetime) -> datetime:
        """``moment``, or the end of the quiet hours around it."""
        local = moment.astimezone(self.zone)
        at = local.time()
        crosses_midnight = self.start > self.end
        is_evening = crosses_midnight and at >= self.start
        is_quiet = is_evening or (at < self.end and (crosses_midnight or at >= self.start))
        if not is_quiet:
            return moment
        day = local.date() + (DAY if is_evening else timedelta())
        end = datetime.combine(day, self.end, self.zone)
        # They may end within the hour that comes twice when the clocks go back.
        return end.replace(fold=local.fold).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class ReminderPolicy:
    """The part of the settings, and of a company, that reminders depend on."""

    quiet: QuietHours = QuietHours(time(20), time(8))
    banking_consent: timedelta = 90 * DAY


@dataclass(frozen=True, slots=True)
class Reminder:
    """A reminder that is due: its key in ``Told``, the time to keep there, and its notification."""

    key: str
    about: datetime
    notification: Notification


@dataclass(frozen=True, slots=True)
class ReminderPlan:
    """The reminders that are due, and when to decide again (``None``: after the next change)."""

    due: tuple[Reminder, ...]
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a reminder is about: since when, from when to when it may be told, and when a consent ends."""

    type: ReminderType
    since: datetime
    due_at: datetime
    until: datetime | None
    ends_at: datetime | None = None


def plan_reminders(
    connections: Sequence[tuple[Connection, datetime]], told: Told, now: datetime, policy: ReminderPolicy
) -> ReminderPlan:
    """The reminders of a company; ``connections`` are its own, each with the time when it was first heard of.

    Those of a read that is due keep to no quiet hours, for nobody is written to.
    """
    rows = [(connection, heard_at, situation(connection)) for connection, heard_at in connections]
    due: list[Reminder] = []
    moments: list[datetime] = []
    for connection, heard_at, state in rows:
        others = [(other, its) for other, _, its in rows if other is not connection]
        newest_pending = max((at for _, at, its in rows if its.state is State.PENDING), default=heard_at)
        for subject in _subjects(connection, heard_at, state, told, policy):
            is_replaced = _is_replaced(connection, subject.type, subject.since, others) or (
                state.state is State.PENDING and heard_at < newest_pending
            )
            if is_replaced or _was_told(connection, subject, told):
                continue
            at = max(subject.due_at, now)
            if subject.type is not ReminderType.READ_DUE:
                at = policy.quiet.end_after(at)
            if subject.until is not None and at >= subject.until:
                continue
            if at > now:
                moments.append(at)
                continue
            due.append(_reminder(connection, state, subject, now))
            if subject.type is ReminderType.READ_DUE:
                moments.append(now + READ_WITHIN)
    return ReminderPlan(tuple(due), min(moments, default=None))


def is_still_true(
    reminder: ReminderType,
    connection: Connection,
    authorization: int,
    since: datetime,
    others: Sequence[Connection],
) -> bool:
    """Whether a reminder that was decided at this ``authorization`` still says what is so.

    ``since`` is the time of what it is about; one of ``others``, the company's own, may do instead by now.
    """
    state = situation(connection)
    rows = [(other, situation(other)) for other in others]
    if state.authorization != authorization or _is_replaced(connection, reminder, since, rows):
        return False
    if reminder in (ReminderType.PENDING_DAY_1, ReminderType.PENDING_DAY_3):
        return state.state is State.PENDING
    if reminder is ReminderType.ACCESS_LOST:
        return state.state is State.DEAUTHORIZED
    return state.state in LINKED_STATES


def key_of(type_: ReminderType, connection_id: str) -> str:
    """The key of a reminder in ``Told``."""
    return f"{type_} {connection_id}"


def _subjects(
    connection: Connection, heard_at: datetime, state: Situation, told: Told, policy: ReminderPolicy
) -> Iterator[_Subject]:
    if state.state is State.PENDING:
        for type_, days in ((ReminderType.PENDING_DAY_1, 1), (ReminderType.PENDING_DAY_3, 3)):
            yield _Subject(type_, heard_at, heard_at + days * DAY, heard_at + _NOT_LATER[type_])
    if state.state is State.DEAUTHORIZED and not state.end_expected and state.history.ended:
        ended_at, type_ = _first_end(connection, state, state.history.ended.at), ReminderType.ACCESS_LOST
        yield _Subject(type_, ended_at, ended_at + 3 * DAY, ended_at + _NOT_LATER[type_])
    begun_at = state.authorized_at
    if state.state not in LINKED_STATES or begun_at is None:
        return
    if (connection.source_type or "").casefold() == "banking":
        ends_at = begun_at + policy.banking_consent
        yield _Subject(ReminderType.CONSENT_ENDING, begun_at, ends_at - 7 * DAY, ends_at, ends_at)
    if not connection.is_on_premise:
        reads = [row.at for row in connection.data_types.values() if row.status == COMPLETE]
        reads += [read.at for read in state.history.initial_reads]
        started = told.get(key_of(ReminderType.READ_DUE, connection.id))
        last = max([begun_at, *reads, *([] if started is None else [started])])
        yield _Subject(ReminderType.READ_DUE, last, last + READ_WITHIN, None)


def _first_end(connection: Connection, state: Situation, last: datetime) -> datetime:
    """When the access of now ended first: Codat may say again later that it has ended."""
    begun_at = state.authorized_at
    ends = (fact.at for fact in connection.facts if fact.status is LinkStatus.DEAUTHORIZED)
    return min((at for at in ends if begun_at is None or at > begun_at), default=last)


def _is_replaced(
    connection: Connection,
    reminder: ReminderType,
    since: datetime,
    others: Sequence[tuple[Connection, Situation]],
) -> bool:
    """Whether another connection of the company does instead of one without access."""
    if reminder in (ReminderType.CONSENT_ENDING, ReminderType.READ_DUE):
        return False
    linked = [(other, state) for other, state in others if state.state in LINKED_STATES]
    if (connection.source_type or "").casefold() == _ACCOUNTING:
        return any((other.source_type or "").casefold() == _ACCOUNTING for other, _ in linked)
    return any(
        other.platform_key == connection.platform_key
        and state.authorized_at is not None
        and state.authorized_at > since
        for other, state in linked
    )


def _was_told(connection: Connection, subject: _Subject, told: Told) -> bool:
    """Whether it was told; a later message may move the beginning of its subject back."""
    about = told.get(key_of(subject.type, connection.id))
    return subject.type is not ReminderType.READ_DUE and about is not None and about >= subject.since


def _reminder(connection: Connection, state: Situation, subject: _Subject, now: datetime) -> Reminder:
    key = key_of(subject.type, connection.id)
    digest = hashlib.sha256(f"{key}\n{subject.since.isoformat()}".encode()).hexdigest()[:32]
    data = {
        **described(connection, state),
        "previous_state": None,
        "occurred_at": subject.since,
        "event_id": None,
        "expected": False,
        "data_types": {"complete": [], "failed": {}},
        "error": None,
        "ends_at": subject.ends_at,
    }
    about = now if subject.type is ReminderType.READ_DUE else subject.since
    return Reminder(key, about, Notification(f"ntf_{digest}", subject.type, now, data))
