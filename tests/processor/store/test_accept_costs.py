"""What accepting costs: one round trip for all messages, and so many commands for each."""

from collections import Counter
from datetime import timedelta

import pytest

from processor.store import keys
from processor.store.inbox import Inbox, ReceivedMessage
from tests.processor.store.conftest import BODY
from tests.support import messages
from tests.support.counting import RoundTrips, commands


def of_a_script(before, after):
    """The commands between two counts, without those of the counting itself."""
    calls = {name: after[name] - before.get(name, 0) for name in after}
    return {name: count for name, count in calls.items() if count and name not in ("info", "client|setinfo")}


ACCEPTING = Counter(hsetnx=1, xadd=1, zadd=1)
REFUSING = Counter(hsetnx=1, hget=1, hincrby=1)
"""The commands that the engine runs for a message that is new, and for its first repetition."""

OF_A_BATCH = Counter(evalsha=1, exists=2, zmscore=2)
OF_A_CELL = Counter(zadd=1)
"""Those for all messages of a batch together, and for all new ones of a cell that is awake."""


@pytest.mark.parametrize(
    ("event_id", "expected"),
    [("msg_1", ACCEPTING + OF_A_CELL), ("msg_0", REFUSING)],
    ids=["kept", "duplicate"],
)
def test_accepting_is_one_round_trip_and_so_many_commands(redis_url, client, event_id, expected):
    trips = RoundTrips()
    inbox = Inbox(trips.client(redis_url))
    inbox.accept(messages.understood(BODY, "msg_0"), BODY)
    event = messages.understood(BODY, event_id, received_at=messages.LONG_AGO + timedelta(milliseconds=1))
    before = commands(client)
    trips.reset()

    inbox.accept(event, BODY)

    assert (trips.count, of_a_script(before, commands(client))) == (1, expected + OF_A_BATCH)


def test_many_messages_are_one_round_trip_and_the_commands_of_each(redis_url, client):
    trips = RoundTrips()
    inbox = Inbox(trips.client(redis_url))
    inbox.accept(messages.understood(BODY, "msg_0"), BODY)
    received_at = messages.LONG_AGO + timedelta(milliseconds=1)
    received = []
    for number in range(40):
        body = messages.connected(f"company-{1 + number % 7}", f"connection-{number}")
        event = messages.understood(body, f"msg_{number}", received_at=received_at)
        received.append(ReceivedMessage(event.event_id, body, received_at, event))
    before = commands(client)
    trips.reset()

    results = inbox.accept_many(received)

    assert [result.duplicate for result in results] == [True] + [False] * 39
    assert trips.count == 1
    served = {keys.cell_of(f"company-{number}") for number in range(1, 8)}
    expected = [*[ACCEPTING] * 39, *[OF_A_CELL] * len(served), REFUSING, OF_A_BATCH]
    asked = Counter(set=len(served))  # whether a drain serves it: one of them has none
    assert of_a_script(before, commands(client)) == sum(expected, asked)
