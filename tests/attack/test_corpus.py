"""The corpus of hostile input, and a few mutations of it; ``make fuzz`` tries more, for an hour."""

import random

import pytest

from tests.attack.fuzz import __main__ as fuzzing
from tests.attack.fuzz.mutate import mutated
from tests.attack.fuzz.targets import PURE, Target, of_application
from tests.processor.web.v1.filling import Filling
from tests.support.effort import examples


def try_all(name: str, target: Target, mutations: int) -> None:
    pool, chance = fuzzing.corpus_of(name, target), random.Random(name)
    for data in [*pool, *(mutated(chance, pool) for _ in range(mutations))]:
        failure = fuzzing.failure_of(target, data)
        assert failure is None, (data, failure)


@pytest.mark.parametrize("name", PURE)
def test_nothing_that_strangers_send_makes_it_fail(name: str) -> None:
    try_all(name, PURE[name], examples(2_000))


def test_no_query_and_no_cookie_makes_a_page_fail(redis_url: str) -> None:
    filling = Filling(redis_url, **fuzzing.SETTINGS)
    for name, target in of_application(filling).items():
        try_all(name, target, examples(600))
    filling.close()


def test_every_file_of_the_corpus_belongs_to_a_target() -> None:
    folders = {path.name for path in fuzzing.CORPUS.iterdir() if path.is_dir()}
    assert folders <= {*PURE, "query", "cookie", "connection"}


def test_a_find_is_made_small() -> None:
    def attempt(data: bytes) -> None:
        if b"\x00b" in data:
            raise ValueError

    target = Target(attempt, ())
    assert fuzzing.smallest(target, b"x" * 99 + b"\x00b" + b"y" * 99, ValueError) == b"\x00b"
