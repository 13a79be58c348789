"""Every history of up to five changes, in every order, with every message doubled."""

import itertools
from datetime import timedelta

import pytest

from handlers.connection import Connection
from handlers.effects import Notify
from handlers.machine import advance
from tests.handlers.support.codat_history import BASE, INITIAL_READS, Did, all_histories, truth_of
from tests.handlers.support.codat_messages import CONNECTION_ID, current_message
from tests.handlers.support.deliveries import ARRIVAL, NOBODY_TO_ASK, Deliveries, check_state, check_told
from tests.support.effort import part

pytestmark = pytest.mark.timeout(900)

LONGEST = 5
DAYS = [timedelta(days=1), timedelta(minutes=3), timedelta(hours=5), timedelta(seconds=40), timedelta(days=9)]
SECONDS = [timedelta(seconds=s) for s in (2.5, 3, 61.001, 2.001, 7)]
MOMENTS = [timedelta(milliseconds=ms) for ms in (1, 40, 1, 900, 2)]

FIVE_LONG = part(all_histories(5), 80)
"""Histories of five changes: all in continuous integration, a part at a desk."""

SHORTER = part(itertools.chain.from_iterable(map(all_histories, range(LONGEST))), 16)

CHUNKS = 6


def _described(history: tuple[Did, ...]) -> str:
    return "History: " + " → ".join(history)


def _check(deliveries: Deliveries, history: tuple[Did, ...]) -> None:
    changes = deliveries.changes(history, INITIAL_READS)
    truth = truth_of(changes)
    try:
        for connection in deliveries.finals(changes):
            check_state(connection, truth)
            check_told(connection, truth)
    except AssertionError as wrong:
        wrong.add_note(_described(history))
        raise


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_delivery_of_five_changes_ends_like_the_history_in_order(chunk: int) -> None:
    deliveries = Deliveries(DAYS, BASE)
    for history in FIVE_LONG[chunk::CHUNKS]:
        _check(deliveries, history)
    assert deliveries.histories > 0
    assert deliveries.nodes > deliveries.histories


@pytest.mark.parametrize("gaps", [DAYS, SECONDS, MOMENTS], ids=["days", "seconds", "moments"])
def test_every_delivery_of_up_to_four_changes_ends_like_the_history_in_order(gaps: list[timedelta]) -> None:
    deliveries = Deliveries(gaps, BASE)
    for history in SHORTER:
        _check(deliveries, history)
    assert deliveries.histories > 0
    assert deliveries.nodes > deliveries.histories


def test_every_history_delivered_in_order_tells_each_milestone_when_it_happens() -> None:
    deliveries = Deliveries(DAYS, BASE)
    for history in itertools.chain.from_iterable(all_histories(length) for length in range(LONGEST + 1)):
        connection = Connection(id=CONNECTION_ID)
        told = []
        changes = deliveries.changes(history, INITIAL_READS)
        for position, change in enumerate(changes):
            truth = truth_of(changes[: position + 1])
            transition = advance(
                connection, current_message(change, f"{change.did}-{position}", ARRIVAL), NOBODY_TO_ASK
            )
            connection = transition.connection
            told += [effect.notification for effect in transition.effects if isinstance(effect, Notify)]
            assert transition.after.state == truth.state, _described(history)
            assert [(note.type, note.data["occurred_at"]) for note in told] == truth.told, _described(history)
            if told:
                assert all(note.data["connection_id"] == CONNECTION_ID for note in told)
                assert told[-1].data["authorization"] <= truth.authorization


def test_every_delivery_whose_twin_comes_first_ends_the_same_but_for_the_ids() -> None:
    for history in part(all_histories(3), 4):
        changes = Deliveries(DAYS, BASE).changes(history, INITIAL_READS)
        truth = truth_of(changes)
        messages = [
            current_message(change, f"event-{position}", ARRIVAL) for position, change in enumerate(changes)
        ]
        for doubled in range(len(messages)):
            twin = current_message(changes[doubled], "twin", ARRIVAL)
            for order in itertools.permutations([*messages, twin]):
                connection = Connection(id=CONNECTION_ID)
                for message in order:
                    connection = advance(connection, message, NOBODY_TO_ASK).connection
                check_state(connection, truth)
                check_told(connection, truth)
