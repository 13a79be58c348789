"""Operators are alerted of every condition when it begins and when it is over, whoever is missing."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis, ResponseError

from processor.clock import to_ms
from processor.conditions import mutes
from processor.conditions.model import Severity
from processor.container import Container, for_worker
from processor.delivery.channels.operators import OPERATORS
from processor.runtime.embedded_engine import Engine
from processor.settings.loading import load
from processor.store import heartbeats, keys
from processor.store.inbox import DAY_S
from tests.support import cells, messages
from tests.support.workbench import Moving, Workbench
from workers.condition_watch import ConditionWatch, Send
from workers.stand_in import StandInClock

ENVIRON = {
    "CODAT_WEBHOOK_SECRETS": messages.SECRET,
    "OPERATOR_ALERT_URLS": "json://127.0.0.1:9",
    "PUBLIC_URL": "https://service.example",
}


class Post:
    """A container of the background whose clock the test moves, and what was sent directly."""

    def __init__(self, redis_url: str) -> None:
        self.clock = Moving()
        container = for_worker(load(ENVIRON | {"REDIS_URL": redis_url}))
        self.container: Container = dataclasses.replace(container, clock=self.clock)
        self.redis: Redis[Any] = container.redis
        self.sent: list[str] = []
        self.alerts: list[str] = []
        self.error: str | None = None

    def send(self, subject: str, text: str) -> bool:
        """Send past the lane."""
        assert text
        if self.error is None:
            self.sent.append(subject)
        return self.error is None

    def watch(self, *, direct: bool = False) -> ConditionWatch:
        """One who watches; ``direct``: as the clock does."""
        sends: list[Send] = [self.send] if direct else []
        return ConditionWatch(self.container, sends=sends)

    def live(self, *roles: str) -> None:
        """Processes of these roles are seen now, of others none."""
        for role in heartbeats.ROLES:
            self.redis.delete(keys.alive(role))
        for role in roles:
            heartbeats.record(self.redis, role, f"{role}-1")

    def lane(self) -> list[str]:
        """The subjects of all alerts so far; the operators' lane is emptied, as a worker does."""
        for id_, _ in self.redis.zpopmin(keys.lane(keys.UNLISTED, OPERATORS.name), 1_000):
            body = cells.unlisted(self.redis, id_)
            self.alerts.append(body["data"]["subject"])
        return sorted(self.alerts)


@pytest.fixture
def post(redis_url: str) -> Iterator[Post]:
    """On an empty engine."""
    post = Post(redis_url)
    yield post
    post.redis.close()


def test_dead_and_quarantined_messages_are_told_at_their_beginning_and_at_their_end(post: Post) -> None:
    """Alerts covered three things; a dead letter and a quarantine alerted nobody."""
    post.live(*heartbeats.ROLES)
    for status in ("dead", "quarantined"):
        post.redis.zadd(keys.events_of(0, status), {"msg_1": to_ms(post.clock())})
    begun = ["Warning: Messages are in quarantine", "Warning: Messages could not be handled"]
    for _ in range(3):
        post.watch().evaluate()  # each time another process: what was told stands in Redis
        post.clock.forward(3_600)
        assert post.lane() == begun

    for status in ("dead", "quarantined"):
        post.redis.delete(keys.events_of(0, status))
    for _ in range(3):
        post.watch().evaluate()
        post.lane()
        post.clock.forward(60)
    over = ["Over: Messages are in quarantine", "Over: Messages could not be handled"]
    assert post.lane() == sorted(begun + over)


def test_that_no_worker_runs_is_told_past_the_lane_that_no_worker_empties(post: Post) -> None:
    """The alert that no worker ran waited in a lane until a worker ran."""
    post.live("clock")
    watch = post.watch(direct=True)
    watch.evaluate()
    post.error = "1 of 1 addresses could not be told"
    post.clock.forward(60)
    watch.evaluate()
    assert post.sent == []
    post.error = None
    watch.evaluate()
    assert post.sent == ["Error: No worker runs"]
    post.live(*heartbeats.ROLES)
    for _ in range(2):
        watch.evaluate()
        post.clock.forward(60)
    assert (post.sent, post.lane()) == (["Error: No worker runs"], ["Over: No worker runs"])


def test_that_no_clock_runs_is_told_by_the_worker(post: Post) -> None:
    """The clock itself watched the others, and nobody watched the clock."""
    post.live("worker")
    watch = post.watch()
    watch.evaluate()
    post.clock.forward(60)
    watch.evaluate()
    assert post.lane() == ["Warning: No clock runs"]


def test_a_worker_stands_in_for_a_clock_that_stopped(post: Post) -> None:
    """What failed was not tried again until somebody started a clock."""
    bench = Workbench(post.redis)
    bench.clock.now = post.clock()
    (retried,) = bench.fill([messages.connected("company-1", "connection-1")])
    bench.drain_all()
    cells.change_message(post.redis, retried, status="failed")
    cell, _ = cells.stored_message(post.redis, retried)
    post.redis.zadd(keys.retries(cell), {retried: to_ms(post.clock()) - 1})
    post.live("worker")
    stand_in, second = (StandInClock(post.container, f"deliver-{number}") for number in (1, 2))
    called: list[str] = []
    watch = ConditionWatch(post.container, sends=[], on_no_clock=lambda: called.append("no clock"))
    watch.evaluate()
    assert called == ["no clock"]
    assert (stand_in.tick(), second.tick(), stand_in.tick()) == (True, False, True)
    assert bench.status(retried) == "pending"
    conditions = {condition.code: condition for condition in watch.evaluate()}
    assert conditions["no_clock"].severity is Severity.INFO
    assert "deliver-1 stands in" in conditions["no_clock"].sentence
    post.clock.forward(3_600)
    watch.evaluate()
    assert post.lane() == []
    post.live(*heartbeats.ROLES)
    assert not stand_in.tick()
    assert post.redis.exists(keys.stand_in()) == 0
    post.live("worker")
    assert second.tick(), "the lease was given up"


def test_a_worker_that_stands_in_trims_a_full_redis(post: Post) -> None:
    post.redis.zadd(keys.events(0), {"stale": to_ms(post.clock()) - 1_000 * DAY_S * 1_000})
    post.redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(ResponseError, match="maxmemory"):
            StandInClock(post.container, "deliver-1").tick()
        assert not post.redis.exists(keys.events(0))
        assert not StandInClock(post.container, "deliver-2").tick()
    finally:
        post.redis.config_set("maxmemory", 0)


def test_a_redis_that_is_full_or_away_is_told_directly_and_so_is_its_end(data_dir: Any) -> None:
    """Where nothing can be written no alert can be queued: operators heard of it from their customers."""
    with Engine(data_dir) as engine:
        post = Post(engine.url)
        post.live(*heartbeats.ROLES)
        watch = post.watch(direct=True)
        post.redis.config_set("maxmemory", 1)
        watch.evaluate()
        post.clock.forward(3_600)
        watch.evaluate()
        assert post.sent == ["Critical: Redis is full"]
        post.redis.config_set("maxmemory", 0)
        for _ in range(2):
            watch.evaluate()
            post.clock.forward(60)
        assert post.sent == ["Critical: Redis is full", "Over: Redis is full"]
        engine.stop()
        for _ in range(2):
            watch.evaluate()
            post.clock.forward(60)
        assert post.sent[2:] == ["Critical: Redis does not answer"]
        engine.start()
        for _ in range(2):
            watch.evaluate()
            post.clock.forward(60)
        assert post.sent[3:] == ["Over: Redis does not answer"]
        mutes.mute(post.redis, "redis_unreachable", post.clock() + timedelta(hours=1), post.clock())
        watch.evaluate()
        engine.stop()
        for _ in range(2):
            watch.evaluate()
            assert post.sent[4:] == []
            post.clock.forward(1_800)
        watch.evaluate()  # the mute is over, which nobody can read
        assert post.sent[4:] == ["Critical: Redis does not answer"]
        engine.start()
        post.redis.close()


def test_an_address_that_fails_brings_no_copies_to_the_others(post: Post) -> None:
    """Of two chat addresses one failed: the other got each direct alert again every five seconds."""
    post.live("clock")
    failed: list[str] = []

    def failing(subject: str, _text: str) -> bool:
        failed.append(subject)
        return False

    watch = ConditionWatch(post.container, sends=[failing, post.send])
    for _ in range(3):
        post.clock.forward(60)
        watch.evaluate()
    assert len(post.sent) == len(set(post.sent)) > 0
    assert len(failed) > 1


def test_who_asks_for_the_types_of_operators_gets_a_signed_webhook_at_the_beginning_and_the_end(
    post: Post,
) -> None:
    wants, all_types = (
        post.container.subscribers.add(url="https://example.com/hook", types=types).id
        for types in (["operator.condition.began", "operator.condition.ended"], [])
    )
    post.live(*heartbeats.ROLES)
    post.redis.zadd(keys.events_of(0, "dead"), {"msg_1": to_ms(post.clock())})
    for _ in range(2):
        post.watch().evaluate()
        post.clock.forward(20)
    post.redis.zrem(keys.events_of(0, "dead"), "msg_1")
    for _ in range(3):
        post.watch().evaluate()
        post.clock.forward(20)
    assert post.redis.zcard(keys.lane(keys.UNLISTED, all_types)) == 0
    bodies = [
        cells.unlisted(post.redis, id_) for id_ in post.redis.zrange(keys.lane(keys.UNLISTED, wants), 0, -1)
    ]
    began, ended = sorted(bodies, key=lambda body: body["type"])
    assert (began["type"], ended["type"]) == ("operator.condition.began", "operator.condition.ended")
    assert began["data"] == {
        "code": "messages_dead",
        "subject": None,
        "severity": "warning",
        "title": "Messages could not be handled",
        "sentence": "1 message could not be handled (dead letter).",
        "advice": began["data"]["advice"],
        "since": began["data"]["since"],
        "ended_at": None,
        "link": "https://service.example/ops",
    }
    assert "Replay" in began["data"]["advice"] or "replay" in began["data"]["advice"]
    assert ended["data"]["ended_at"] > ended["data"]["since"] == began["data"]["since"]


def test_critical_conditions_reach_subscribers_once_redis_stores_again(post: Post) -> None:
    wants = post.container.subscribers.add(
        url="https://example.com/hook", types=["operator.condition.began", "operator.condition.ended"]
    ).id
    post.live(*heartbeats.ROLES)
    watch = post.watch(direct=True)
    post.redis.config_set("maxmemory", 1)
    try:
        watch.evaluate()
        post.clock.forward(60)
        watch.evaluate()
    finally:
        post.redis.config_set("maxmemory", 0)
    for _ in range(3):
        watch.evaluate()
        post.clock.forward(20)
    types = [
        cells.unlisted(post.redis, id_)["type"]
        for id_ in post.redis.zrange(keys.lane(keys.UNLISTED, wants), 0, -1)
    ]
    assert sorted(types) == ["operator.condition.began", "operator.condition.ended"]


def test_a_muted_condition_alerts_when_the_mute_is_over_and_ends_with_an_alert(post: Post) -> None:
    post.live(*heartbeats.ROLES)
    now = post.clock()
    mutes.mute(post.redis, "messages_dead", now + timedelta(hours=1), now)
    post.redis.zadd(keys.events_of(0, "dead"), {"msg_1": to_ms(now)})
    for _ in range(2):
        post.watch().evaluate()
        assert post.lane() == []
        post.clock.forward(1_800)
    post.watch().evaluate()
    begun = ["Warning: Messages could not be handled"]
    assert post.lane() == begun
    mutes.mute(post.redis, "messages_dead", post.clock() + timedelta(hours=1), post.clock())
    post.redis.zrem(keys.events_of(0, "dead"), "msg_1")
    for _ in range(2):
        post.watch().evaluate()
        post.clock.forward(20)
    assert post.lane() == ["Over: Messages could not be handled", *begun]
