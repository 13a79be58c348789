"""A process that delivers hears of new notifications by itself, and commits then enqueue no job for it."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from redis import RedisError

from processor.store import keys, wakeups
from tests.support.service import until
from tests.workers.delivery.post import Post
from workers.delivery import listener as listening
from workers.delivery.listener import Listener


@pytest.fixture
def woken() -> threading.Event:
    return threading.Event()


@pytest.fixture
def listener(post: Post, woken: threading.Event) -> Iterator[Listener]:
    """A listener that holds the claim."""
    listener = Listener(post.client, wake=woken.set)
    listener.start()
    until(lambda: post.client.exists(keys.delivering()), poll_s=0.005)
    yield listener
    listener.stop()


def test_a_new_notification_wakes_without_a_claim(
    post: Post, listener: Listener, woken: threading.Event
) -> None:
    for number in range(2):
        post.decide(f"connection-{number}")
        assert woken.wait(60)
        woken.clear()
        assert not wakeups.claim_delivery_run(post.client)
    listener.stop()
    assert wakeups.claim_delivery_run(post.client)


def test_what_is_not_fanned_out_yet_wakes_once(
    post: Post, monkeypatch: pytest.MonkeyPatch, woken: threading.Event
) -> None:
    monkeypatch.setattr(listening, "BLOCK_S", 0.005)
    listener, after = Listener(post.client, wake=woken.set), {keys.fan_out(post.cell): "0"}
    post.decide()
    for is_new in (True, False):
        woken.clear()
        listener._listen(after)
        assert woken.is_set() is is_new


def test_lower_ids_are_heard_after_a_failover_and_what_cannot_be_fanned_out_wakes_once(
    post: Post, monkeypatch: pytest.MonkeyPatch, woken: threading.Event
) -> None:
    """A store that was flushed or failed over had lower ids: the listener was deaf, and held the claim."""
    monkeypatch.setattr(listening, "BLOCK_S", 0.005)
    name = keys.fan_out(post.cell)
    listener, after = Listener(post.client, wake=woken.set), {name: "0"}

    def wakes() -> bool:
        woken.clear()
        listener._renew_at = 0.0
        listener._listen(after)
        return woken.is_set()

    post.client.xadd(name, {"id": "a"}, id="9999999999999-0")
    assert (wakes(), wakes(), wakes()) == (True, False, False)
    post.client.delete(name)
    post.client.xadd(name, {"id": "b"}, id="999-0")
    assert (wakes(), wakes()) == (True, False)


def test_a_listener_whose_read_is_refused_leaves_the_claim_to_jobs(
    post: Post, monkeypatch: pytest.MonkeyPatch, woken: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    """A key of another type: no read succeeded, and the claim kept all commits from enqueueing a job."""
    monkeypatch.setattr(listening, "BLOCK_S", 0.005)
    monkeypatch.setattr(listening, "AWAY_S", 0.005)
    listener, name = Listener(post.client, wake=woken.set), keys.fan_out(post.cell)
    refused = counted_reads(post, monkeypatch)
    listener.start()
    until(lambda: post.client.exists(keys.delivering()), poll_s=0.005)
    post.client.set(name, "garbage")
    until(lambda: len(refused) > 3, poll_s=0.005)
    assert wakeups.claim_delivery_run(post.client)
    assert [record.levelname for record in caplog.records if "is refused" in record.message] == ["WARNING"]
    post.client.delete(name, keys.delivering())
    post.decide()
    assert woken.wait(60)
    listener.stop()


def counted_reads(post: Post, monkeypatch: pytest.MonkeyPatch) -> list[RedisError]:
    """The errors of the reads from now on."""
    errors: list[RedisError] = []
    read = post.client.xread

    def counted(*args: Any, **kwargs: Any) -> Any:
        try:
            return read(*args, **kwargs)
        except RedisError as error:
            errors.append(error)
            raise

    monkeypatch.setattr(post.client, "xread", counted)
    return errors


def test_another_process_listens_when_the_first_one_has_ended(post: Post, listener: Listener) -> None:
    other = threading.Event()
    second = Listener(post.client, wake=other.set)
    second.start()
    listener.stop()
    until(lambda: post.client.get(keys.delivering()) == second._token.encode(), poll_s=0.005)
    post.decide()
    assert other.wait(60)
    second.stop()
