"""When a drain stops, and how long it lingers."""

import threading
from typing import Any

from redis import Redis

from processor.store import keys
from tests.support import cells, messages
from tests.support.counting import Interrupted
from tests.workers.inbox.company import CELL, COMPANY, CONNECTION
from workers.inbox.drain import BATCH, DrainResult


def test_a_drain_whose_commit_is_always_disturbed_still_stops(bench, redis_url):
    """Each commit met a change of its connection and was repeated at once, past SIGTERM and past the
    time limit: the checks of both were skipped. Now a disturbed batch counts as a round like any other."""
    bench.handle(messages.connected(COMPANY, CONNECTION))
    bench.send(messages.disconnected(COMPANY, CONNECTION))
    stopping = threading.Event()
    disturbed: Any = Interrupted.from_url(redis_url)
    rounds = []

    def disturb():
        rounds.append(len(rounds))
        assert len(rounds) < 20, "it goes on although it is told to stop"
        bench.client.append(cells.where(bench.client, keys.connection, CONNECTION), " ")
        if len(rounds) == 3:
            stopping.set()
        disturbed.meanwhile = disturb

    disturbed.meanwhile = disturb
    assert bench.drain(disturbed, stop=stopping.is_set).run(CELL) == DrainResult(0, more=True)

    assert len(rounds) == 3
    assert len(bench.timeline(CONNECTION)) == 1, "nothing of the disturbed batches was written"


def test_a_drain_that_is_told_to_stop_finishes_its_batch_and_says_what_is_left(bench):
    bench.fill([messages.connected(COMPANY, CONNECTION)] * (BATCH + 1))

    assert bench.drain(stop=lambda: True).run(CELL) == DrainResult(BATCH, more=True)
    assert bench.client.xlen(keys.inbox(CELL)) == 1


def test_a_drain_hands_over_when_its_time_is_over(bench):
    bench.fill([messages.connected(COMPANY, CONNECTION)] * (BATCH + 1))

    assert bench.drain().run(CELL, run_s=0) == DrainResult(BATCH, more=True)
    assert bench.drain().run(CELL, run_s=0) == DrainResult(1, more=False)


def test_a_drained_cell_sleeps_and_can_be_woken(bench):
    bench.handle(messages.connected(COMPANY, CONNECTION))

    assert not bench.client.exists(keys.wake(CELL))
    assert bench.send(messages.connected(COMPANY, CONNECTION))[0].sleeping_cell == CELL


def test_a_drain_lingers_for_what_comes_soon_after(bench, redis_url):
    """The message is sent by the drain's own first look at an empty inbox, so it comes while it lingers."""
    sent = threading.Event()

    class Waiting(Redis):
        def xread(self, *args, **kwargs):
            if not sent.is_set():
                sent.set()
                bench.send(messages.connected(COMPANY, CONNECTION))
            return super().xread(*args, **kwargs)

    drained = bench.drain(Waiting.from_url(redis_url), linger_s=0.5).run(CELL, run_s=600)

    assert drained == DrainResult(1, more=False)


def test_a_drain_keeps_its_cell_awake(bench):
    bench.send(messages.connected(COMPANY, CONNECTION))
    bench.client.delete(keys.wake(CELL))

    bench.drain(stop=lambda: True).run(CELL, run_s=0)
    bench.send(messages.connected(COMPANY, CONNECTION))
    bench.drain().run(CELL)

    assert not bench.client.exists(keys.wake(CELL))
