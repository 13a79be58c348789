"""Delivering as it runs: a process of its own, woken after a commit, killed in the middle."""

import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from standardwebhooks import Webhook

from processor.clock import to_iso
from processor.delivery.subscribers import SECRET_OVERLAP
from processor.store import keys, wakeups
from processor.store.waker import DELIVER
from tests.support import messages, preloaded
from tests.support.service import until
from tests.support.workbench import Moving, Workbench
from tests.workers.delivery.mailing import Mailbox, Serve
from tests.workers.delivery.post import Post
from tests.workers.delivery.receiving import WAIT_S, MakeReceiver, status


@pytest.fixture
def now_post(redis_url: str) -> Iterator[Post]:
    """Lanes under a clock that shows the real time when it is made."""
    with Redis.from_url(redis_url) as client:
        yield Post(client, clock=Moving(datetime.now(UTC) - timedelta(seconds=1)))


@contextmanager
def delivering(redis_url: str, folder: Path, **settings: str) -> Iterator[preloaded.Process]:
    """A delivering process."""
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "REDIS_URL": redis_url,
        "CODAT_WEBHOOK_SECRETS": messages.SECRET,
        "ALLOW_PRIVATE_SUBSCRIBERS": "true",
        "LOG_LEVEL": "ERROR",
        **settings,
    }
    with (folder / "log").open("ab") as log:
        process = preloaded.start(["workers", DELIVER], env=environ, cwd=folder, output=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(WAIT_S)


def test_killed_in_the_middle_nothing_is_lost_and_repetitions_have_the_same_id(
    now_post: Any, receiver: MakeReceiver, redis_url: str, tmp_path: Path
) -> None:
    post = now_post
    heard = receiver()
    heard.gate.clear()
    mine = post.subscribe(heard.url)
    ids = [post.decide(f"connection-{number}") for number in range(30)]
    with delivering(redis_url, tmp_path) as process:
        heard.wait_for(10)
        process.send_signal(signal.SIGKILL)
        process.wait(WAIT_S)
    heard.gate.set()
    assert set(post.waiting(mine.id)) == set(ids)

    with delivering(redis_url, tmp_path):
        until(lambda: not post.waiting(mine.id))

    times = Counter(heard.ids)
    assert sorted(times) == ids
    assert max(times.values()) <= 2
    assert sum(times.values()) <= 40
    assert {post.status(id_, mine.id) for id_ in ids} == {"delivered"}


def test_a_decision_is_enough_because_the_process_listens(
    now_post: Any, receiver: MakeReceiver, redis_url: str, tmp_path: Path
) -> None:
    post = now_post
    heard = receiver()
    post.subscribe(heard.url)
    with delivering(redis_url, tmp_path):
        post.decide("connection-1")
        heard.wait_for(1)
        until(lambda: post.client.exists(keys.delivering()))
        second = post.decide("connection-2")
        assert not wakeups.claim_delivery_run(post.client), "no job is needed"
        assert heard.wait_for(2)[-1].id == second
    assert wakeups.claim_delivery_run(post.client), "from now on a job is needed"


def test_rotation_while_attempts_are_under_way(post: Post, receiver: MakeReceiver) -> None:
    """What was signed before is verified by the old secret, what is signed after by either, for 24 hours."""
    post.clock.now = datetime.now(UTC)
    heard = receiver()
    heard.gate.clear()
    mine = post.subscribe(heard.url)
    post.decide("connection-1")
    dispatcher = post.dispatcher()
    dispatcher.start()
    try:
        heard.wait_for(1)
        rotated = post.subscribers.rotate(mine.id)
        post.decide("connection-2")
        dispatcher.wake()
        heard.wait_for(2)
    finally:
        heard.gate.set()
        dispatcher.stop()

    before, after = heard.received
    assert rotated.secret != mine.secret
    assert len(before.headers["webhook-signature"].split()) == 1
    assert len(after.headers["webhook-signature"].split()) == 2
    Webhook(mine.secret).verify(before.raw, dict(before.headers))
    for secret in (mine.secret, rotated.secret):
        Webhook(secret).verify(after.raw, dict(after.headers))

    post.forward(SECRET_OVERLAP.total_seconds())
    post.decide("connection-3")
    post.dispatcher().run_once()
    assert len(heard.received[-1].headers["webhook-signature"].split()) == 1


def test_a_subscriber_that_is_dead_for_an_hour_misses_nothing_and_delays_nobody(
    redis_url: str, receiver: MakeReceiver
) -> None:
    """A whole hour: messages of Codat's each minute, one subscriber down, the other up."""
    with Redis.from_url(redis_url) as client:
        bench = Workbench(client)
        post = Post(client, clock=bench.clock)
        down, up = receiver(status(500)), receiver()
        one, two = post.subscribe(down.url), post.subscribe(up.url)
        dispatcher = post.dispatcher()
        for minute in range(60):
            at = bench.clock()
            bench.handle(messages.connected("company-1", f"connection-{minute}", at=at))
            dispatcher.run_once()
            assert len(up.received) == minute + 1
            assert post.lane_admin.states([two.id])[two.id].waiting == 0
            bench.clock.forward(60)
        assert down.ids
        told = {body["id"] for body in bench.told()}
        down.always, before = status(204), len(down.received)
        last = max(post.waiting(one.id).values())
        for _ in range(200):
            if not post.waiting(one.id):
                break
            bench.clock.forward(last / 100)
            dispatcher.run_once()

        assert set(up.ids) == told
        assert len(up.ids) == len(told)
        assert sorted(down.ids[before:]) == sorted(told)


def test_the_clock_wakes_who_divides_what_a_lost_call_left(bench: Any) -> None:
    bench.handle(messages.connected("company-1", "connection-1"))
    bench.client.delete(keys.delivering())

    bench.ticking().tick()
    assert bench.jobs()["workers.jobs.deliver"] == [[]]
    bench.ticking().tick()
    assert bench.jobs()["workers.jobs.deliver"] == [[]]


@pytest.fixture
def bench(redis_url: str) -> Iterator[Workbench]:
    """An inbox and a drain."""
    with Redis.from_url(redis_url) as client:
        yield Workbench(client)


def test_the_timestamp_signed_is_that_of_the_attempt(post: Post, receiver: MakeReceiver) -> None:
    heard = receiver(status(500))
    post.subscribe(heard.url)
    post.decide()
    dispatcher = post.dispatcher()
    dispatcher.run_once()
    post.forward(5)
    dispatcher.run_once()

    first, second = (int(got.headers["webhook-timestamp"]) for got in heard.received)
    assert second - first == 5
    assert to_iso(datetime.fromtimestamp(second, UTC)) == to_iso(post.clock())


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGKILL])
def test_a_process_that_ends_after_the_final_dot_leaves_the_mail_uncertain(
    now_post: Any, serve: Serve, mailbox: Mailbox, redis_url: str, tmp_path: Path, signal_: Any
) -> None:
    """A process that ended while the mail server worked on a mail was followed by one that sent it again."""
    post, post_email = now_post, {"contact_email": "owner@example.test", "name": "Toft"}
    post.client.hset(keys.company("company-1"), mapping=post_email)
    mailbox.answers.clear()
    url = f"smtp://127.0.0.1:{serve().port}"
    id_ = post.decide()
    with delivering(redis_url, tmp_path, SMTP_URL=url) as process:
        until(lambda: mailbox.handed_over)
        process.send_signal(signal_)
        process.wait(WAIT_S)
    with delivering(redis_url, tmp_path, SMTP_URL=url):
        until(lambda: post.status(id_, "email") == "uncertain")
    assert mailbox.handed_over == 1
    mailbox.answers.set()
