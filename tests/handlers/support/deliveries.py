"""Every delivery of a history through the current generation, walked as one graph.

Nodes are (messages delivered, connection); a connection that was reached before is
not walked again, and histories share what they have in common.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import factorial

from handlers.connection import Connection
from handlers.effects import Notify
from handlers.events import Event
from handlers.machine import advance
from handlers.milestones import NotificationType
from handlers.registry import Context, Policy
from handlers.state import situation
from tests.handlers.support.codat_history import Change, Did, Truth
from tests.handlers.support.codat_messages import CONNECTION_ID, current_message

ARRIVAL = datetime(2027, 1, 1, tzinfo=UTC)
"""When every message arrives: without questions to Codat our own time decides nothing."""

NOBODY_TO_ASK = Context(now=ARRIVAL, policy=Policy(can_ask=False))
ACCESS_GIVEN = (NotificationType.AUTHORIZED, NotificationType.REAUTHORIZED)
SYNC = (NotificationType.SYNC_COMPLETED, NotificationType.SYNC_FAILED)
ENDED = (NotificationType.UNLINKED, NotificationType.DEAUTHORIZED)

_FIELDS = tuple(field.name for field in fields(Connection))


def key_of(connection: Connection) -> Hashable:
    """The whole connection as something that can be looked up."""
    values = (getattr(connection, name) for name in _FIELDS)
    return tuple(frozenset(value.items()) if hasattr(value, "items") else value for value in values)


class Deliveries:
    """The graph of all deliveries of histories whose changes lie at the given times."""

    def __init__(self, gaps: Sequence[timedelta], base: datetime) -> None:
        self._times = [base + sum(gaps[:position], timedelta()) for position in range(len(gaps) + 1)]
        self._messages: dict[tuple[Did, int, tuple[tuple[str, str], ...]], Event] = {}
        self._nodes: dict[Hashable, tuple[int, Connection]] = {}
        self._steps: dict[tuple[int, str], tuple[int, Connection]] = {}
        self._again: set[tuple[int, str]] = set()
        self.histories = 0
        self.deliveries = 0

    @property
    def nodes(self) -> int:
        """How many different situations were visited."""
        return len(self._nodes)

    def changes(self, history: Sequence[Did], types: dict[Did, tuple[tuple[str, str], ...]]) -> list[Change]:
        """The history with times."""
        return [
            Change(did, self._times[position], types.get(did, ())) for position, did in enumerate(history)
        ]

    def _message(self, change: Change, position: int) -> Event:
        known = (change.did, position, change.types)
        if known not in self._messages:
            self._messages[known] = current_message(change, f"{change.did}-{position}", ARRIVAL)
        return self._messages[known]

    def _node(self, connection: Connection) -> tuple[int, Connection]:
        return self._nodes.setdefault(key_of(connection), (len(self._nodes), connection))

    def _step(self, node: tuple[int, Connection], event: Event) -> tuple[int, Connection]:
        number, connection = node
        step = self._steps.get((number, event.event_id))
        if step is None:
            transition = advance(connection, event, NOBODY_TO_ASK)
            check_ledger(connection, transition.connection, transition.effects)
            assert transition.entry.reason, f"no reason on the timeline for {event}"
            step = self._steps[number, event.event_id] = self._node(transition.connection)
        return step

    def _deliver_again(self, node: tuple[int, Connection], event: Event) -> None:
        """A message that was delivered already, or its twin under another id, changes nothing at all.

        So whatever may follow the doubled message follows the single one too: walking on
        from here would walk the same graph once more. That the twin comes first and the
        message second is the same delivery with the two ids exchanged.
        """
        number, connection = node
        if (number, event.event_id) in self._again:
            return
        self._again.add((number, event.event_id))
        for doubled in (event, replace(event, event_id=f"{event.event_id}-again")):
            again = advance(connection, doubled, NOBODY_TO_ASK)
            assert again.connection == connection, f"{doubled.event_id} delivered again changed something"
            assert again.effects == (), f"{doubled.event_id} delivered again told something"

    def finals(self, changes: Sequence[Change]) -> Iterator[Connection]:
        """Every connection with which a delivery of the whole history can end."""
        events = [self._message(change, position) for position, change in enumerate(changes)]
        start = self._node(Connection(id=CONNECTION_ID))
        by_mask: list[dict[int, tuple[int, Connection]]] = [{} for _ in range(1 << len(events))]
        by_mask[0][start[0]] = start
        for mask in range(1 << len(events)):
            for node in by_mask[mask].values():
                for position, event in enumerate(events):
                    if mask >> position & 1:
                        self._deliver_again(node, event)
                    else:
                        after = self._step(node, event)
                        by_mask[mask | 1 << position][after[0]] = after
        self.histories += 1
        self.deliveries += deliveries_of(len(events))
        return iter([connection for _, connection in by_mask[-1].values()])


def deliveries_of(messages: int) -> int:
    """Every order, and every order with one message twice, and with one message's twin."""
    return factorial(messages) + messages * factorial(messages + 1) // 2 + messages * factorial(messages + 1)


def check_ledger(before: Connection, after: Connection, effects: Sequence[object]) -> None:
    """What is told and what stands in the ledger are the same, in the same order."""
    told = [effect.notification for effect in effects if isinstance(effect, Notify)]
    added = after.ledger[len(before.ledger) :]
    assert after.ledger[: len(before.ledger)] == before.ledger, "the ledger was rewritten"
    assert [note.id for note in told] == [entry.id for entry in added]
    assert [note.type.value for note in told] == [entry.kind for entry in added]


def check_state(connection: Connection, truth: Truth) -> None:
    """State, authorisations and data types equal those of the history in order."""
    now = situation(connection)
    assert now.state == truth.state
    assert now.authorization == truth.authorization
    assert now.authorized_at == truth.authorized_at
    data_types = {name: (kind.status, kind.at) for name, kind in connection.data_types.items()}
    assert data_types == truth.data_types


def check_told(connection: Connection, truth: Truth) -> None:
    """Nothing was told twice, and what holds at the end was told."""
    told = [(NotificationType(entry.kind), entry.at) for entry in connection.ledger]
    ids = [entry.id for entry in connection.ledger]
    assert len(set(ids)) == len(ids), "one notification was decided twice"
    milestones = [
        (NotificationType.AUTHORIZED if kind in ACCESS_GIVEN else kind, truth.authorization_at(at))
        for kind, at in told
        if kind is not NotificationType.AUTHORIZATION_FAILED
    ]
    assert len(set(milestones)) == len(milestones), "one kind was told twice of one authorisation"
    access = [kind for kind, _ in told if kind in (*ACCESS_GIVEN, *ENDED)]
    repeated = [kind for kind, following in pairwise(access) if kind is following in ENDED]
    assert not repeated, "an end was told although the last thing told already said so"
    if truth.link is None:
        kinds = [kind for kind, _ in told]
        assert (NotificationType.DELETED in kinds) == (len(kinds) > 0), (
            "deleted is told if anything was ever told"
        )
    elif truth.state.value in ("unlinked", "deauthorized"):
        assert access[-1].value == f"connection.{truth.state.value}", "the end was not told"
    elif truth.authorized_at is not None:
        of_the_last = [kind for kind, at in told if at >= truth.authorized_at]
        assert any(kind in ACCESS_GIVEN for kind in of_the_last), "the last authorisation was not told"
        assert truth.outcome is None or truth.outcome in of_the_last, "the outcome of its sync was not told"
