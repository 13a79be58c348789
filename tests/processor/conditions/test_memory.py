"""Each condition is told when it begins and when it ends, once, whoever looks and however often."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from processor.conditions.memory import (
    ENDED_AFTER,
    ConditionChanges,
    ConditionMemory,
    RememberedCondition,
    plan,
)
from processor.conditions.model import Condition, Severity
from processor.conditions.registry import make

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
QUARANTINED = make("messages_quarantined", "1 authentic message is in quarantine.")


class History:
    """What one who remembers and looks now and then would tell."""

    def __init__(self) -> None:
        self.remembered: dict[str, RememberedCondition] = {}
        self.now = NOW

    def look(self, *conditions: Condition, after_s: float = 1) -> list[str]:
        """The subjects of the alerts of one look."""
        self.now += timedelta(seconds=after_s)
        changes: ConditionChanges = plan(conditions, self.remembered, self.now)
        self.remembered |= changes.put
        for key in changes.forget:
            del self.remembered[key]
        return [alert.subject for alert in changes.alerts]


def test_a_beginning_and_an_end_are_told_once_each() -> None:
    """Alerts came once an hour as long as a thing lasted, and nobody was told that it was over."""
    history = History()
    assert history.look(QUARANTINED) == ["Warning: Messages are in quarantine"]
    assert history.look(QUARANTINED, after_s=7_200) == []
    assert history.look() == []
    assert history.look(after_s=ENDED_AFTER.total_seconds()) == ["Over: Messages are in quarantine"]
    assert history.look(after_s=7_200) == []


def test_what_comes_back_within_seconds_has_never_ended() -> None:
    history = History()
    history.look(QUARANTINED)
    for _ in range(20):
        assert history.look() == []
        assert history.look(QUARANTINED) == []


def test_what_passes_within_its_patience_is_told_neither_way() -> None:
    missing = make("no_worker", "no worker was seen")
    history = History()
    assert history.look(missing) == []
    assert history.look(missing, after_s=missing.alert_after_s - 2) == []
    assert history.look() == []
    assert history.look(after_s=60) == []
    history.look(missing)
    assert history.look(missing, after_s=missing.alert_after_s) == ["Error: No worker runs"]


def test_two_of_one_kind_are_told_apart() -> None:
    history = History()
    failing = [make("receiver_failing", "It fails.", subject=id_) for id_ in ("sub_1", "sub_2")]
    assert len(history.look(*failing)) == 2
    history.look(failing[0])
    assert history.look(failing[0], after_s=20) == ["Over: A receiver fails"]


def test_what_is_good_to_know_is_not_told() -> None:
    assert History().look(make("codat_throttled", "It waits.", severity=Severity.INFO)) == []


@pytest.fixture
def client(redis_url: str) -> Iterator["Redis[Any]"]:
    """A client of an empty engine."""
    with Redis.from_url(redis_url) as connected:
        yield connected


def test_of_several_processes_one_tells(client: "Redis[Any]", redis_url: str) -> None:
    """Two clocks ran during a deployment: each told the same."""
    together = threading.Barrier(4)
    told: list[str] = []

    def look(step: int) -> None:
        with Redis.from_url(redis_url) as own:
            memory = ConditionMemory(own, add_alert=lambda pipe, subject, _: pipe.rpush("told", subject))
            together.wait(60)
            now = NOW + step * ENDED_AFTER
            told.extend(item.subject for item in memory.update([QUARANTINED] if step == 0 else [], now))

    for step in range(3):
        threads = [threading.Thread(target=look, args=(step,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    expected = ["Warning: Messages are in quarantine", "Over: Messages are in quarantine"]
    assert told == expected
    assert [item.decode() for item in client.lrange("told", 0, -1)] == expected


def test_what_another_version_wrote_is_forgotten(client: "Redis[Any]") -> None:
    client.hset("codat:conditions", "messages_quarantined", '{"of": "another version"}')
    memory = ConditionMemory(client, add_alert=lambda *_: None)
    assert [item.subject for item in memory.update([QUARANTINED], NOW)] == [
        "Warning: Messages are in quarantine"
    ]
