"""What is wrong with a connection, by "What must hold" of the state machine, read from outside."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from handlers.events import LinkStatus
from handlers.milestones import NotificationType
from handlers.state import AWAITING_FIRST_SYNC, LINKED_STATES, State
from processor.clock import from_iso
from tests.handlers.support.codat_history import Truth
from tests.handlers.support.deliveries import ACCESS_GIVEN, ENDED
from tests.reliability.codat_lives import Life, names_connection

TOLERANCE = timedelta(seconds=2)
CERTAIN_AFTER = timedelta(minutes=1)
"""Codat's API shows a change after so long."""

LATE_AFTER = timedelta(seconds=630)
"""What is told so long after it happened was verified before: LATE_AFTER_S, and some seconds on the way."""

WRONG = (
    "connections unknown",
    "messages decided twice",
    "messages not on the timeline",
    "link statuses that differ from Codat's",
    "authorizations that never were",
    "milestones decided twice",
    "milestones that Codat denied",
    "states that differ from the history",
    "authorizations that differ from the history",
    "milestones not told",
)
"""All that ``wrong_of`` can find."""

Row = Mapping[str, Any]


def wrong_of(life: Life, shown: Row, timeline: Sequence[Row], told: Sequence[Row]) -> Iterator[str]:
    """What of ``WRONG`` there is about one connection, by "What must hold"."""
    truth = life.truth
    if not shown:
        if truth.link is not None or any(map(names_connection, life.delivered.values())):
            yield "connections unknown"
        return
    lines = Counter(row["event_id"] for row in timeline)
    if any(count > 1 for count in lines.values()):
        yield "messages decided twice"
    if any(names_connection(message) and id_ not in lines for id_, message in life.delivered.items()):
        yield "messages not on the timeline"
    unknowable = life.loses and life.is_never_shown  # a 404 alone is no deletion: decision 3
    if not unknowable and not _is_linked_like(State(shown["state"]), truth.link):
        yield "link statuses that differ from Codat's"
    if shown["authorization"] > truth.authorization:
        yield "authorizations that never were"
    if _doubled(truth, told):
        yield "milestones decided twice"
    if not life.is_never_shown and any(_is_denied(row, life) for row in told):
        yield "milestones that Codat denied"
    if not life.loses:
        yield from _wrong_of_complete(truth, shown, told)


def _is_linked_like(state: State, link: LinkStatus | None) -> bool:
    if link is None:
        return state is State.DELETED
    if link is LinkStatus.LINKED:
        return state in LINKED_STATES
    if link is LinkStatus.PENDING:
        return state in (State.PENDING, State.AUTHORIZATION_FAILED)
    return state.value == link.value.lower()


def _doubled(truth: Truth, told: Sequence[Row]) -> bool:
    keys = []
    for row in told:
        kind, at = NotificationType(row["type"]), from_iso(row["data"]["occurred_at"])
        if kind is not NotificationType.AUTHORIZATION_FAILED:
            one = NotificationType.AUTHORIZED if kind in ACCESS_GIVEN else kind
            keys.append((one, truth.authorization_at(at + TOLERANCE if kind in ACCESS_GIVEN else at)))
    return len(set(keys)) < len(keys)


def _is_denied(row: Row, life: Life) -> bool:
    """Whether something that was verified is not what Codat showed then: its history was over."""
    kind, at = NotificationType(row["type"]), from_iso(row["data"]["occurred_at"])
    decided = from_iso(row["timestamp"])
    if decided - life.changes[-1].at < CERTAIN_AFTER:
        return False
    link = life.truth.link
    if kind is NotificationType.DELETED:
        return link is not None
    if kind in ENDED:
        return link is None or link.value.lower() != kind.value.removeprefix("connection.")
    if decided - at < LATE_AFTER:  # told unverified
        return False
    if kind is NotificationType.AUTHORIZATION_FAILED:
        return link in (None, LinkStatus.LINKED)
    return link is not LinkStatus.LINKED


def _wrong_of_complete(truth: Truth, shown: Row, told: Sequence[Row]) -> Iterator[str]:
    """The same where every message arrived: all equals the history in order, and its end was told."""
    state = State(shown["state"])
    likely = {truth.state}
    if truth.state in AWAITING_FIRST_SYNC:
        likely |= set(AWAITING_FIRST_SYNC)
    if truth.state is State.SYNCING:  # Codat's history does not say that a read was an ordinary one
        likely |= {State.READY, State.SYNC_FAILED}
    if state not in likely:
        yield "states that differ from the history"
    if shown["authorization"] != truth.authorization:
        yield "authorizations that differ from the history"
    if truth.authorized_at is not None and shown["authorized_at"] is not None:
        since = from_iso(shown["authorized_at"])
        if abs(since - truth.authorized_at) > TOLERANCE:
            yield "authorizations that differ from the history"
    kinds = [NotificationType(row["type"]) for row in told]
    access = [kind for kind in kinds if kind in (*ACCESS_GIVEN, *ENDED)]
    if truth.link is None:
        if (NotificationType.DELETED in kinds) != bool(kinds):
            yield "milestones not told"
    elif truth.link.has_ended:
        if not access or access[-1].value != f"connection.{truth.state.value}":
            yield "milestones not told"
    elif truth.authorized_at is not None:
        since = truth.authorized_at - TOLERANCE
        last = {
            kind
            for kind, row in zip(kinds, told, strict=True)
            if from_iso(row["data"]["occurred_at"]) >= since
        }
        if not last & set(ACCESS_GIVEN) or (truth.outcome and truth.outcome not in last):
            yield "milestones not told"
