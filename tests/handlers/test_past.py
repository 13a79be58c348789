"""What was believed at a time is what the machine held then, for every short history in every order."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta

from handlers.connection import Connection
from handlers.events import Event
from handlers.machine import advance
from handlers.past import RecordedDecision, RecordedEntry, believed_at
from handlers.state import situation
from handlers.timeline import TimelineEntry
from tests.handlers.support.codat_history import BASE, INITIAL_READS, all_histories
from tests.handlers.support.codat_messages import CONNECTION_ID, current_message
from tests.handlers.support.deliveries import ARRIVAL, NOBODY_TO_ASK, Deliveries

DAYS = [timedelta(days=1), timedelta(minutes=3), timedelta(hours=5)]
A_MINUTE = timedelta(minutes=1)


def recorded(event: Event, entry: TimelineEntry, handled_at: datetime) -> RecordedEntry:
    """The entry as the timeline keeps it."""
    decisions = tuple(
        RecordedDecision(one.kind, one.outcome, one.notification_id or None) for one in entry.decisions
    )
    return RecordedEntry(event.event_id, event.at, handled_at, entry.before, entry.after, decisions)


def check(order: Sequence[Event], handled_at: Sequence[datetime]) -> int:
    """Step through the messages and compare each step with what is believed of it later."""
    connection = Connection(CONNECTION_ID)
    steps: list[tuple[datetime, Connection]] = []
    entries: list[RecordedEntry] = []
    for event, moment in zip(order, handled_at, strict=True):
        transition = advance(connection, event, NOBODY_TO_ASK)
        connection = transition.connection
        steps.append((moment, connection))
        entries.append(recorded(event, transition.entry, moment))
    incomplete = 0
    moments = [(moment + later, then) for moment, then in steps for later in (timedelta(), A_MINUTE / 2)]
    for moment, then in moments:
        belief = believed_at(connection, situation(connection).state, entries, moment)
        assert belief.state == situation(then).state
        assert belief.connection.facts == then.facts
        assert belief.connection.ledger == then.ledger
        assert belief.connection.claims == then.claims
        if belief.complete:
            outcomes = {name: one.status for name, one in belief.connection.data_types.items()}
            assert outcomes == {name: one.status for name, one in then.data_types.items()}
        incomplete += not belief.complete
    return incomplete // 2


def test_a_belief_is_what_the_machine_held_then() -> None:
    incomplete = total = 0
    for length in (1, 2, 3):
        for history in all_histories(length):
            changes = Deliveries(DAYS, BASE).changes(history, INITIAL_READS)
            for order in itertools.permutations(range(length)):
                times = [ARRIVAL + A_MINUTE * step for step in range(length)]
                events = [
                    current_message(changes[place], f"event-{place}", arrived)
                    for place, arrived in zip(order, times, strict=True)
                ]
                incomplete += check(events, times)
                total += length
    assert incomplete < total / 10


def test_a_message_that_was_handled_late_was_not_believed_before() -> None:
    """It arrived, its handling raised, and a replay an hour later handled it."""
    for history in all_histories(3):
        changes = Deliveries(DAYS, BASE).changes(history, INITIAL_READS)
        first, second, third = (
            current_message(change, f"event-{place}", ARRIVAL + A_MINUTE * place)
            for place, change in enumerate(changes)
        )
        hour = ARRIVAL + timedelta(hours=1)
        check([first, third, second], [ARRIVAL, ARRIVAL + 2 * A_MINUTE, hour])


def test_before_everything_nothing_was_believed() -> None:
    belief = believed_at(Connection(CONNECTION_ID), "pending", [], ARRIVAL)
    assert (belief.state, belief.connection.facts, belief.complete) == ("pending", (), True)
