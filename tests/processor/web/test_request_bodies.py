"""The bodies of a process stay within a budget, and a small one is never given up for large ones."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from processor.web.request_bodies import BodyBudget

MOST = 1_000


def run(what: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(what())


async def held_open(budget: BodyBudget, size: int, came: asyncio.Event) -> str:
    """What becomes of a body of which nothing comes after its first ``size`` bytes."""
    with budget.body() as body:
        try:
            async with asyncio.timeout(None) as body.limit:
                body.add(b"x" * size)
                came.set()
                await asyncio.Event().wait()
        except TimeoutError:
            assert body.is_evicted
            return "given up"
    return "whole"


def test_beyond_the_budget_the_largest_unfinished_body_is_given_up() -> None:
    """900 unfinished bodies of 1 MB were all kept: 745 MB a process, and Codat's messages beside them."""

    async def story() -> None:
        budget = BodyBudget(MOST)
        came = [asyncio.Event() for _ in range(3)]
        sizes = (500, 400, 90)
        strangers = [
            asyncio.ensure_future(held_open(budget, size, event))
            for size, event in zip(sizes, came, strict=True)
        ]
        await asyncio.gather(*(event.wait() for event in came))
        with budget.body() as message:
            message.add(b"x" * 50)
            assert await strangers[0] == "given up"
            assert message.take() == b"x" * 50
        assert not strangers[1].done()
        assert not strangers[2].done()
        for stranger in strangers[1:]:
            stranger.cancel()

    run(story)


def test_one_that_alone_is_too_much_is_given_up_itself() -> None:
    async def story() -> None:
        with BodyBudget(MOST).body() as body, pytest.raises(TimeoutError):
            async with asyncio.timeout(None) as body.limit:
                body.add(b"x" * (MOST + 1))

    run(story)


def test_what_has_come_whole_counts_until_it_is_answered_and_is_never_given_up() -> None:
    async def story() -> None:
        budget = BodyBudget(MOST)
        with budget.body() as finished:
            finished.add(b"x" * MOST)
            octets = finished.take()
            with budget.body() as newcomer, pytest.raises(TimeoutError):
                newcomer.add(b"x")
            assert not finished.is_evicted
            assert len(octets) == MOST
        with budget.body() as later:
            later.add(b"x" * MOST)
            assert later.size == MOST

    run(story)


def test_a_body_that_ends_badly_gives_its_bytes_back() -> None:
    budget = BodyBudget(MOST)

    def broken_off() -> None:
        with budget.body() as body:
            body.add(b"x" * MOST)
            raise ConnectionError

    for _ in range(10):
        with pytest.raises(ConnectionError):
            broken_off()
