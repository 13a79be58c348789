"""Stored bodies: small, and what was stored can be read for ever."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.store import bodies
from tests.support import messages
from tests.support.anything import BODIES, COMPANY, CONNECTION

DIGESTS = {
    1: "b359e13978d48ee47098cf523e9a09d79a03460b7a6285be4998014e46b8e429",
    2: "064f8aea88e3f3eae7b420f818598eff950a904095b91ad9a5c0f3d45f3d7d86",
    3: "830e999271788963be0eed090e24febf2c3240df130da073b71a8df91624fe4a",
    4: "2cb8e15ee50315617da45f74b16a51c093a9e2656c0d1b4620bab92282ab2fad",
}
"""The dictionaries that stored bodies need: each is never changed, and none is removed."""


@pytest.mark.parametrize("number", bodies.DICTIONARIES)
def test_a_dictionary_never_changes_and_fits_into_the_window(number: int) -> None:
    dictionary = files("processor.store").joinpath("dictionaries", bodies.DICTIONARIES[number]).read_bytes()

    assert hashlib.sha256(dictionary).hexdigest() == DIGESTS[number]
    assert len(dictionary) + bodies.MIN_LOOKAHEAD <= 2**bodies.WINDOW_BITS


def test_a_body_that_was_stored_by_the_first_release_is_read() -> None:
    stored = bytes.fromhex("01ab266ec81d6904bdb61600")
    assert bodies.unpack(stored) == b'{"eventType": "connection.connected", "payload": {}}'


@given(body=st.one_of(BODIES, st.binary(max_size=3000)))
def test_any_body_comes_back_as_it_was(body: bytes) -> None:
    assert bodies.unpack(bodies.pack(body)) == body


@pytest.mark.parametrize("build", [messages.connected, messages.read, messages.disconnected])
def test_a_message_takes_less_than_half_of_its_bytes(build: Callable[..., bytes]) -> None:
    body = build(COMPANY, CONNECTION)

    assert len(bodies.pack(body)) < len(body) / 2


@pytest.mark.parametrize("stored", [b"", b"\x01", b"\x01\xff", b"\x00x", b"\xff damaged", b"{}"])
def test_a_damaged_body_is_left_as_it_is(stored: bytes) -> None:
    assert bodies.unpack(stored) == stored


def test_a_body_that_was_cut_off_is_left_as_it_is() -> None:
    stored = bodies.pack(messages.connected(COMPANY, CONNECTION))
    for end in range(len(stored)):
        assert bodies.unpack(stored[:end]) == stored[:end]


def test_many_threads_may_pack_at_once() -> None:
    made = [messages.connected(COMPANY, f"connection-{number}") * (number % 20 + 1) for number in range(400)]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda body: bodies.unpack(bodies.pack(body)), made)) == made
