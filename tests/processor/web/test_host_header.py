"""Which hosts can be: names and addresses, with a port or without."""

import pytest

from processor.web.canonical_request import is_valid_host


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8000",
        "example.com",
        "a.b-c.example.com.",
        "a_b.example",
        "127.0.0.1:1",
        "[::1]",
        "[2001:db8::1]:443",
        "x" * 63 + ".de",
        ".".join(["a"] * 127),
    ],
)
def test_what_a_host_can_be(host: str) -> None:
    assert is_valid_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a b",
        "ü.de",
        "a..b",
        ".",
        "..",
        "x" * 64,
        "-a",
        ".".join(["a"] * 128),
        "a:",
        "a:65536",
        "a:1:2",
        "::1",
        "[::1",
        "[g]",
        "a/b",
        "a@b",
        "a\n",
        "٣",
        "a:٣",
    ],
)
def test_what_it_cannot_be(host: str) -> None:
    assert not is_valid_host(host)
