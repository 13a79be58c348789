"""The clock wakes what sleeps over work, and does no harm when it ticks twice or in two processes."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis, RedisError, ResponseError
from redis import TimeoutError as RedisTimeoutError

from handlers.effects import Ask
from handlers.events import Aspect
from processor.clock import to_iso, to_ms
from processor.runtime.embedded_engine import Engine
from processor.store import keys, outages, questions
from processor.store.inbox import DAY_S
from processor.store.outages import Outage
from tests.support import cells, messages
from tests.support.counting import everything
from tests.support.service import LIMIT_S, until
from tests.support.workbench import Workbench, company_in
from workers.clock import TRIM_EVERY

DRAIN = "workers.jobs.drain"
ASK = "workers.jobs.ask"

pytestmark = pytest.mark.usefixtures("lasting_flags")


def asleep(bench: Any, *cells: int) -> None:
    """Messages wait in these cells, and whoever was to be woken for them has died."""
    for cell in cells:
        bench.send(messages.connected(company_in(cell), f"connection-{cell}"))
        bench.client.delete(keys.wake(cell))


def woken(bench: Any) -> Any:
    """The wake-up calls for drains and questions."""
    return {name: calls for name, calls in bench.jobs().items() if name in (DRAIN, ASK)}


def ask_at(bench: Any, seconds: float) -> None:
    at = bench.clock() + timedelta(seconds=seconds)
    with bench.client.pipeline(transaction=True) as pipe:
        questions.write(
            pipe,
            keys.cell_of("company-1"),
            [Ask(Aspect.CONNECTION, "company-1", "connection-1", at, at, "because")],
        )
        pipe.execute()


def test_cells_that_sleep_over_messages_are_woken_once(bench: Any) -> None:
    asleep(bench, 1, 3)
    clock = bench.ticking()

    clock.tick()
    clock.tick()

    assert bench.jobs()[DRAIN] == [[]]


def test_several_clocks_claim_a_cell_once(bench: Any, redis_url: str) -> None:
    asleep(bench, 0, 1, 2, 3)
    together = threading.Barrier(4)

    def tick() -> None:
        with Redis.from_url(redis_url) as container:
            clock = Workbench(container).ticking()
            together.wait()
            clock.tick()

    threads = [threading.Thread(target=tick) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 <= len(bench.jobs()[DRAIN]) <= 4, "each clock rings once for all cells that it claims"


def test_a_cell_that_is_awake_or_empty_is_left_alone(bench: Any) -> None:
    bench.send(messages.connected(company_in(1), "connection-1"))

    bench.ticking().tick()

    assert woken(bench) == {}


def test_a_cell_whose_waking_was_lost_is_woken_again(bench: Any) -> None:
    asleep(bench, 1)
    clock = bench.ticking()
    clock.tick()
    bench.client.delete(keys.wake(1))  # nobody came, the flag went away by itself

    clock.tick()

    assert bench.jobs()[DRAIN] == [[], []]


def test_questions_are_asked_when_they_are_due_and_not_before(bench: Any) -> None:
    ask_at(bench, 10)
    clock = bench.ticking()

    clock.tick()
    assert woken(bench) == {}
    bench.clock.forward(10)
    clock.tick()
    clock.tick()

    assert woken(bench) == {ASK: [[]]}


def test_nobody_is_woken_for_questions_that_are_being_asked(bench: Any) -> None:
    ask_at(bench, 0)
    bench.client.set(keys.asking(), "asks", px=600_000)

    bench.ticking().tick()

    assert woken(bench) == {}


def test_what_was_kept_too_long_is_trimmed_from_the_indexes_and_nothing_else(bench: Any) -> None:
    old = bench.handle(messages.connected("company-1", "connection-1"), messages.other())
    bench.inbox.quarantine("quarantined", b"?", bench.clock(), "why")
    clock = bench.ticking(retention_days=30)
    clock.tick()
    bench.clock.forward(30 * DAY_S + 1)
    new = bench.handle(messages.other(company_id="company-1"))
    assert cells.count(bench.client, keys.events) == len(old) + 2

    clock.tick()

    assert cells.members(bench.client, keys.events) == [new[0].encode()]
    assert cells.fields(bench.client, keys.messages) == 1
    assert cells.count(bench.client, keys.events_of, "quarantined") == 0
    assert bench.state("connection-1") == "authorized"


def test_trimming_is_rare(bench: Any) -> None:
    clock = bench.ticking()
    clock.tick()
    stale = {"stale": to_ms(bench.clock()) - 40 * DAY_S * 1000}
    bench.client.zadd(keys.events(0), stale)

    bench.clock.forward(TRIM_EVERY.total_seconds() - 1)
    clock.tick()
    assert cells.count(bench.client, keys.events) == 1
    bench.clock.forward(1)
    clock.tick()
    assert cells.count(bench.client, keys.events) == 0


def test_a_full_redis_is_trimmed(bench: Any) -> None:
    """The heartbeat was refused first, so what had expired filled Redis until somebody made room."""
    bench.handle(messages.connected("company-1", "connection-1"))
    bench.clock.forward(31 * DAY_S)
    bench.client.config_set("maxmemory", 1)
    try:
        with pytest.raises(ResponseError, match="maxmemory"):
            bench.ticking(retention_days=30).tick()
        assert cells.count(bench.client, keys.events) == cells.fields(bench.client, keys.messages) == 0
    finally:
        bench.client.config_set("maxmemory", 0)


def test_a_second_tick_in_the_same_moment_changes_nothing(bench: Any) -> None:
    asleep(bench, 0, 2)
    ask_at(bench, 0)
    event_id = bench.send(messages.connected(company_in(1), "connection-1"))[0].event_id
    bench.corrupt(event_id)
    bench.drain().run(1)
    bench.clock.forward(60)
    clock = bench.ticking()
    clock.tick()

    def all_but_heartbeats() -> Any:
        result = everything(bench.client)
        assert result.pop(keys.alive("clock"))
        return result

    before = all_but_heartbeats()
    clock.tick()
    bench.ticking().tick()

    assert all_but_heartbeats() == before


def test_a_clock_says_that_it_lives_and_when_it_ends(bench: Any) -> None:
    stop = threading.Event()
    clock = bench.ticking(name="clock-1")
    clock.tick()
    ((name, seen_ms),) = bench.client.zrange(keys.alive("clock"), 0, -1, withscores=True)
    assert name == b"clock-1"
    assert seen_ms / 1000 == pytest.approx(bench.client.time()[0], abs=3_600)

    stop.set()
    clock.run(stop)

    assert bench.client.zcard(keys.alive("clock")) == 0


def test_a_clock_that_ends_while_redis_is_away_does_not_wait_for_it_once_more(bench: Any) -> None:
    """Ten seconds each; with the goodbye it took longer to end than it may."""
    asked = []

    class Hanging(Redis):
        def execute_command(self, *args: Any, **_: object) -> None:
            asked.append(args)
            stop.set()
            raise RedisTimeoutError("late")

    stop = threading.Event()
    hanging = Hanging(connection_pool=bench.client.connection_pool)
    Workbench(hanging).ticking(name="clock-1").run(stop)

    assert len(asked) == 1


def test_a_clock_goes_on_while_redis_is_away_and_says_so_once(
    bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It looked three times: twice in vain."""
    caplog.set_level("INFO")
    looks = []

    class Away(Redis):
        def pipeline(self, *args: Any, **kwargs: Any) -> Any:
            looks.append(1)
            if len(looks) == 3:
                stop.set()
            if len(looks) < 3:
                raise RedisError("away")
            return super().pipeline(*args, **kwargs)

    class Impatient(threading.Event):
        def wait(self, _: object = None) -> Any:
            return self.is_set()

    stop = Impatient()
    away = Away(connection_pool=bench.client.connection_pool)
    Workbench(away).ticking(name="clock-1").run(stop)

    assert len(looks) >= 3
    assert [record.message for record in caplog.records if record.name == "workers.clock"] == [
        "the clock cannot reach Redis; it goes on",
        "the clock reaches Redis again",
    ]


def test_that_redis_was_away_is_noted_when_it_is_back(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A minute later nothing could say any more that it had been away, or since when."""
    caplog.set_level("INFO", logger="workers.clock")

    def said(sentence: str) -> Any:
        return [item for item in caplog.records if item.message == sentence]

    engine = Engine(data_dir)
    engine.start()
    stop = threading.Event()
    with Redis.from_url(engine.url, socket_timeout=LIMIT_S) as client:
        container = Workbench(client)
        thread = threading.Thread(target=container.ticking(name="clock-1").run, args=(stop,))
        try:
            thread.start()
            until(lambda: client.zcard(keys.alive("clock")))
            assert outages.recent(client, container.clock()) == []
            lived, began = container.clock(), container.clock.forward(60)
            engine.stop()
            until(lambda: said("the clock cannot reach Redis; it goes on"))
            ended = container.clock.forward(300)
            engine.start()
            until(lambda: said("the clock reaches Redis again"))
            noted = outages.recent(client, container.clock())
        finally:
            stop.set()
            thread.join()
            engine.stop()

    (outage,) = noted
    assert outage.began_at in (lived, began), "a tick may have begun before"
    assert outage == Outage(outage.began_at, ended, refused=False)
    (record,) = said("the clock reaches Redis again")
    assert (record.away_from, record.away_until) == (to_iso(outage.began_at), to_iso(ended))


def test_that_redis_refused_is_noted_as_that(bench: Any) -> None:
    """Full for an hour, it answered; but nothing could be written."""
    stop = threading.Event()
    began = bench.clock()
    looks = []

    class Full(Redis):
        def pipeline(self, *args: Any, **kwargs: Any) -> Any:
            looks.append(1)
            if len(looks) == 1:
                raise ResponseError("OOM command not allowed when used memory > 'maxmemory'.")
            bench.clock.forward(60)
            stop.set()
            return super().pipeline(*args, **kwargs)

    Workbench(Full(connection_pool=bench.client.connection_pool), clock=bench.clock).ticking(
        name="clock-1"
    ).run(stop)

    (noted,) = outages.recent(bench.client, bench.clock())
    assert (noted.began_at, noted.refused) == (began, True)
