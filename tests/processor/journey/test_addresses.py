"""Parameters are added to an address without disturbing what it has."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.journey.connections import with_query


@pytest.mark.parametrize(
    ("url", "result"),
    [
        ("https://link.codat.io/c/1", "https://link.codat.io/c/1?a=b"),
        ("https://link.codat.io/c/1?", "https://link.codat.io/c/1?a=b"),
        ("https://link.codat.io/c/1?otp=x%2By", "https://link.codat.io/c/1?otp=x%2By&a=b"),
        ("https://link.codat.io/c/1?otp=1&otp=2", "https://link.codat.io/c/1?otp=1&otp=2&a=b"),
        ("https://link.codat.io/c/1?a=old&z=1", "https://link.codat.io/c/1?z=1&a=b"),
        ("https://link.codat.io/c/1#top", "https://link.codat.io/c/1?a=b#top"),
        ("https://link.codat.io/c/1?otp=1#a?b&c", "https://link.codat.io/c/1?otp=1&a=b#a?b&c"),
        ("https://link.codat.io/c/1?flag", "https://link.codat.io/c/1?flag&a=b"),
    ],
)
def test_a_parameter_is_added_to_what_is_there(url: str, result: str) -> None:
    assert with_query(url, a="b", left_out=None) == result


def test_without_parameters_nothing_changes() -> None:
    assert with_query("https://x/y?a=%20#z") == "https://x/y?a=%20#z"


@given(
    st.dictionaries(st.text(min_size=1), st.text(), min_size=1),
    st.dictionaries(st.text("abc", min_size=1), st.text()),
)
def test_whatever_is_added_can_be_read_again(added: Any, before: Any) -> None:
    """Surrogates cannot be written in an address; whoever takes parameters refuses them first."""
    added = {key: value for key, value in added.items() if (key + value).isprintable()}
    before = {key: value for key, value in before.items() if (key + value).isprintable() and key not in added}
    result = parse_qsl(
        urlsplit(with_query(with_query("https://x/y#f", **before), **added)).query, keep_blank_values=True
    )
    assert dict(result) == {**before, **added}
