"""While Redis is away, hangs or is full the answer is 503 within a second."""

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from redis import Redis

from processor.container import for_web
from processor.runtime.embedded_engine import Engine
from processor.settings.loading import load
from processor.store import keys
from processor.store.client import WEB_TIMEOUT_S, connect
from processor.store.waker import Waker
from tests.processor.web.webhooks.messages_sent import CURRENT, LEGACY, is_kept
from tests.support.applications import lent_app
from tests.support.cells import pending
from tests.support.messages import authorised, signed
from tests.support.service import until
from tests.support.serving import ADDRESS, ENVIRON, frozen, kept, problem, serving

ANSWER_WITHIN_S = 1.0
TRIES = 20
"""How often a machine that does much besides may try to be that quick."""


def is_turned_away_in_time(send: Any) -> Any:
    """Sends in vain; whether an answer came in time, as far as some tries tell."""

    def took_s() -> Any:
        began = time.monotonic()
        answers = send()
        took = time.monotonic() - began
        for answer in answers:
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) > 0
            problem(answer)
        return took

    return any(took_s() < ANSWER_WITHIN_S for _ in range(TRIES))


def is_accepted(caller: FlaskClient) -> Any:
    """Whether a new message is kept now."""
    return caller.post(ADDRESS, data=CURRENT, headers=signed(CURRENT)).status_code == 202


def test_without_redis_the_answer_is_503_at_once_and_afterwards_it_works_again(data_dir: Path) -> None:
    """Stopped and started again, without a restart of ours."""
    with Engine(data_dir) as engine:
        caller = serving(engine.url, hurried=True)
        until(lambda: is_accepted(caller))
        engine.stop()
        for body in (CURRENT, b"nonsense"):
            assert is_turned_away_in_time(
                lambda body=body: [caller.post(ADDRESS, data=body, headers=signed(body))]
            )

        engine.start()
        until(lambda: is_accepted(caller))


@pytest.mark.parametrize("warm", [True, False], ids=["connected before", "not connected yet"])
def test_while_redis_hangs_the_answer_is_503_within_a_second_and_afterwards_it_works_again(
    data_dir: Path, warm: bool
) -> None:
    with Engine(data_dir) as engine:
        caller = serving(engine.url, hurried=True)
        if warm:
            until(lambda: is_accepted(caller))
        headers = signed(CURRENT, "msg_1")
        with frozen(engine.folder):
            assert is_turned_away_in_time(lambda: [caller.post(ADDRESS, data=CURRENT, headers=headers)])
            assert is_turned_away_in_time(lambda: [caller.post(ADDRESS, data=b"?", headers=signed(b"?"))])

        until(lambda: caller.post(ADDRESS, data=CURRENT, headers=headers).status_code in (200, 202))
        with Redis.from_url(engine.url) as store:
            assert pending(store).count(b"msg_1") == 1


def test_many_callers_at_once_are_all_answered_within_a_second_while_redis_hangs(data_dir: Path) -> None:
    with Engine(data_dir) as engine, ThreadPoolExecutor(8) as pool:
        caller = serving(engine.url, hurried=True)

        def send(_: Any) -> Any:
            own = caller.application.test_client()
            return own.post(ADDRESS, data=CURRENT, headers=signed(CURRENT))

        with frozen(engine.folder):
            assert is_turned_away_in_time(lambda: list(pool.map(send, range(8))))


def test_a_bell_that_hangs_does_not_keep_codat_waiting(redis_url: str, data_dir: Path, store: Redis) -> None:
    """The message is kept; who is to be woken for it is the clock's business then."""
    container = kept(for_web(load({**ENVIRON, "REDIS_URL": redis_url})))
    with Engine(data_dir) as other:
        waker = Waker(connect(other.url, timeout_s=WEB_TIMEOUT_S))
        caller = lent_app(dataclasses.replace(container, waker=waker)).test_client()

        def took_s(event_id: str) -> Any:
            for cell in keys.cells():
                store.delete(keys.wake(cell))  # somebody has to be woken
            began = time.monotonic()
            answer = caller.post(ADDRESS, data=CURRENT, headers=signed(CURRENT, event_id))
            took = time.monotonic() - began
            assert answer.status_code == 202
            return took

        with frozen(other.folder):
            assert any(took_s(f"msg_{number}") < ANSWER_WITHIN_S for number in range(TRIES))

    assert is_kept(store, "msg_0", CURRENT)


def test_while_redis_is_full_the_answer_is_503_and_nothing_is_kept(caller: FlaskClient, store: Redis) -> None:
    assert caller.post(ADDRESS, data=CURRENT, headers=signed(CURRENT)).status_code == 202
    before = store.dbsize()
    store.config_set("maxmemory", "1")
    try:
        for body in (CURRENT, b"nonsense"):
            answer = caller.post(ADDRESS, data=body, headers=signed(body, f"msg_{len(body)}"))
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) > 0
        assert store.dbsize() == before
    finally:
        store.config_set("maxmemory", "0")
    assert caller.post(ADDRESS, data=CURRENT, headers=signed(CURRENT)).status_code == 202


def test_what_goes_wrong_with_us_is_503_and_not_500(redis_url: str) -> None:
    """A legacy alert never comes back after a 500."""
    container = kept(for_web(load({**ENVIRON, "REDIS_URL": redis_url})))

    def broken() -> datetime:
        raise RuntimeError("a fault of ours")

    caller = lent_app(dataclasses.replace(container, clock=broken)).test_client()

    answer = caller.post(ADDRESS, data=LEGACY, headers=authorised())

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "fault of ours" not in problem(answer)["detail"]
