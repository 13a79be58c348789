"""A process that delivers hears of new notifications by itself, and commits then enqueue no job for it."""

import threading
from collections.abc import Iterator

import pytest

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


def test_another_process_listens_when_the_first_one_has_ended(post: Post, listener: Listener) -> None:
    other = threading.Event()
    second = Listener(post.client, wake=other.set)
    second.start()
    listener.stop()
    until(lambda: post.client.get(keys.delivering()) == second._token.encode(), poll_s=0.005)
    post.decide()
    assert other.wait(60)
    second.stop()
