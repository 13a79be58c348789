"""RQ's part: a wake-up call leads to a drain, in the process itself."""

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq import Queue
from rq.exceptions import StopRequested
from rq.serializers import JSONSerializer

from processor.conditions import evaluation
from processor.container import Container, for_worker
from processor.runtime.embedded_engine import Engine
from processor.runtime.watchdog import Pulse
from processor.settings.loading import load
from processor.store import keys, waker
from processor.store.waker import DRAIN, MAX_WAITING_DRAINS, QUEUES
from tests.support import messages, preloaded
from tests.support.service import LIMIT_S, until
from tests.support.workbench import Workbench
from workers import jobs, runtime
from workers.__main__ import children
from workers.process import Heartbeat, InProcessWorker

ENVIRON = {"CODAT_WEBHOOK_SECRETS": messages.SECRET}


@pytest.fixture
def container(redis_url: str) -> Iterator[Container]:
    """The collaborators of a worker, its runtime installed."""
    container = for_worker(load(ENVIRON | {"REDIS_URL": redis_url}))
    runtime.install(container, stopping=lambda: False)
    yield container
    container.redis.close()


def send(container: Container, body: Any, event_id: str = "msg_1") -> None:
    kept = container.inbox.accept(messages.understood(body, event_id, received_at=container.clock()), body)
    if kept.sleeping_cell is not None:
        container.waker.wake_drain()


@pytest.fixture
def _signals_as_they_were() -> Iterator[None]:
    """RQ's worker takes SIGINT and SIGTERM and does not give them back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def worker(container: Container) -> Any:
    """A worker that listens to its queue and not to commands of RQ's own, which nobody here sends.

    The thread that would listen to them raises at the end where Redis is late by a second.
    """
    made = InProcessWorker(
        [Queue(DRAIN, connection=container.redis, serializer=JSONSerializer)],
        name="worker-of-the-tests",
        connection=container.redis,
        serializer=JSONSerializer,
    )
    made.subscribe = lambda: None
    return made


@pytest.mark.usefixtures("_signals_as_they_were")
def test_a_wake_up_call_leads_to_a_drain(container: Container) -> None:
    send(container, messages.connected("company-1", "connection-1"))
    assert container.waker.queue_length(DRAIN) == 1

    worker(container).work(burst=True, logging_level="WARNING")

    assert container.reader.event("msg_1")["status"] == "processed"
    assert container.waker.queue_length(DRAIN) == 0


def test_without_a_worker_the_calls_for_drains_do_not_pile_up(container: Container) -> None:
    for _ in range(MAX_WAITING_DRAINS + 5):
        container.waker.wake_drain()
    assert container.waker.queue_length(DRAIN) == MAX_WAITING_DRAINS


def test_a_worker_says_that_it_lives_by_the_clock_of_redis(container: Container) -> None:
    """A machine whose clock was ten minutes off said that no worker was seen."""
    heartbeat = Heartbeat(container.redis, "worker-of-the-tests", Pulse())
    heartbeat.start()
    until(lambda: container.redis.zcard(keys.alive("worker")))
    heartbeat.stop()

    ((name, seen_ms),) = container.redis.zrange(keys.alive("worker"), 0, -1, withscores=True)
    assert name == b"worker-of-the-tests"
    assert seen_ms / 1000 == pytest.approx(container.redis.time()[0], abs=3_600)
    result = evaluation.current(
        container.redis, container.settings, now=container.clock() + timedelta(minutes=10)
    )
    assert "no_worker" not in [item.code for item in result]


@pytest.mark.usefixtures("container")
def test_jobs_are_harmless_when_there_is_nothing_to_do() -> None:
    assert jobs.drain() == 0
    assert jobs.ask() == 0


def test_a_drain_that_hands_over_rings_again(container: Container) -> None:
    bench = Workbench(container.redis)
    bench.fill([messages.connected("company-1", "connection-1")] * 600)
    own = runtime.install(container, stopping=lambda: False)
    object.__setattr__(own, "drain", bench.drain())
    at_once: Any = partial(own.drain.run, run_s=0)
    own.drain.run = at_once

    assert jobs.drain() == 500

    assert bench.jobs()["workers.jobs.drain"] == [[]]


@pytest.mark.usefixtures("_signals_as_they_were")
def test_after_jobs_nothing_of_rqs_stays_for_ever(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waker, "RESULT_TTL_S", 600)  # it is looked at before it goes
    send(container, messages.connected("company-1", "connection-1"))
    worker(container).work(burst=True, logging_level="WARNING")

    waiting = {job.key.encode() for queue in container.waker._queues.values() for job in queue.jobs}
    finished = set(container.redis.scan_iter("rq:job:*")) - waiting
    assert finished
    assert all(container.redis.ttl(key) > 0 for key in finished)


@pytest.mark.usefixtures("_signals_as_they_were")
def test_a_worker_ends_also_where_the_exception_of_a_signal_is_lost(container: Container) -> None:
    """A process that got SIGTERM while it wrote a log line went on for ever: logging catches all."""
    made = worker(container)
    with pytest.raises(StopRequested):
        made.request_stop(signal.SIGTERM, None)
    made.listen(prepare=pytest.fail, on_ready=pytest.fail)


def test_each_queue_has_a_worker_process_of_its_own(redis_url: str) -> None:
    """RQ loses jobs of workers that listen to two queues when they are killed."""
    settings = load(ENVIRON | {"REDIS_URL": redis_url, "WORKERS": "3"})
    roles = [child.argv[-1] for child in children(settings)]
    assert Counter(roles) == dict.fromkeys(QUEUES, 1) | {DRAIN: 3}


def test_a_worker_that_starts_before_redis_waits_for_it_in_one_line(data_dir: Path) -> None:
    """It died with a traceback, and again once a second."""
    where = f"unix://{data_dir.resolve()}/engine/engine.sock?db=0"
    environ = {**os.environ, "REDIS_URL": where, "PYTHONPATH": os.pathsep.join(sys.path)}
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as output:
        process = preloaded.start(["workers", DRAIN], env=environ, cwd=data_dir, output=output)
    with os.fdopen(reading) as log:
        try:
            line = json.loads(log.readline())
            assert (line["level"], line["message"]) == ("WARNING", "a worker waits for Redis")
            assert line["reason"] == "there is no such file or socket"
            with Engine(data_dir) as engine, Redis.from_url(engine.url, socket_timeout=LIMIT_S) as client:
                assert engine.url == where
                until(lambda: client.zcard(keys.alive("worker")))
                process.terminate()
                rest = log.read().splitlines()
                assert [json.loads(item)["message"] for item in rest] == ["a worker reaches Redis again"]
        finally:
            process.kill()


def test_nothing_connects_when_the_runtime_is_built(data_dir: Path) -> None:
    nowhere = f"unix://{data_dir}/nobody.sock?db=0"

    built = runtime.build(for_worker(load(ENVIRON | {"REDIS_URL": nowhere})))

    assert isinstance(built.container.redis, Redis)
