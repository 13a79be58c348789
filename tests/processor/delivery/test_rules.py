"""What a subscriber may be like."""

import pytest

from processor.delivery import rules
from processor.errors import Invalid


@pytest.mark.parametrize(
    "url",
    ["https://example.com/hook", "https://example.com:8443/a?b=c", "https://8.8.8.8/x"],
)
def test_ordinary_addresses_are_taken(url: str) -> None:
    assert rules.check_url(url, allow_private=False) == url


@pytest.mark.parametrize(
    "url",
    ["", "example.com", "ftp://example.com", "https://", "https:///x", "https://example.com:99999",
     "https://example.com:22", "https://user:pw@example.com/", "https://user@example.com/",
     "https://example.com/#part", "https://exa mple.com", "https://exämple.com", "https://example.com/\n",
     "https://example.com\\@10.0.0.1/", "https://[::1", "https://127.0.0.1/", "https://[::1]/",
     "https://[64:ff9b::7f00:1]/", "https://10.0.0.1/", "http://localhost/", "https://x.internal/",
     "https://example.com/" + "x" * 2000, "file:///etc/passwd", "javascript:alert(1)"],
)  # fmt: skip
def test_all_others_are_refused_by_name(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        rules.check_url(url, allow_private=False)
    assert "http://" not in str(refused.value) or "ALLOW_HTTP" in str(refused.value)
    assert set(refused.value.errors) == {"url"}


def test_an_address_without_tls_is_taken_where_it_is_allowed_alone() -> None:
    """Anybody on the way could read what a subscriber is told."""
    url = "http://example.com/hook"
    with pytest.raises(Invalid, match="https://"):
        rules.check_url(url, allow_private=False)
    assert rules.check_url(url, allow_private=False, allow_http=True) == url
    with pytest.raises(Invalid, match="public"):
        rules.check_url("http://10.0.0.1/", allow_private=False, allow_http=True)


@pytest.mark.parametrize("url", ["http://127.0.0.1:4711/hook", "https://localhost:22/", "http://10.0.0.1/"])
def test_private_addresses_and_odd_ports_where_they_are_allowed(url: str) -> None:
    assert rules.check_url(url, allow_private=True) == url


def test_types_are_those_of_notifications() -> None:
    assert rules.check_types(["initial_sync.completed", "initial_sync.completed"]) == (
        "initial_sync.completed",
    )
    with pytest.raises(Invalid, match="Not a type of notification"):
        rules.check_types(["connection.exploded"])


@pytest.mark.parametrize(
    "headers",
    [{"Host": "x"}, {"webhook-id": "x"}, {"Webhook-Signature": "x"}, {"svix-id": "x"}, {"a b": "x"},
     {"": "x"}, {"X": "a\r\nY: b"}, {"X": "ü"}, {"X": "y" * 2001}, {"X": "1", "x": "2"},
     {"Content-Length": "0"}, {"Transfer-Encoding": "chunked"}, {f"X-{n}": "y" for n in range(21)}],
)  # fmt: skip
def test_headers_that_would_do_harm_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Invalid) as refused:
        rules.check_headers(headers)
    assert set(refused.value.errors) == {"headers"}


def test_own_headers_are_taken() -> None:
    headers = {"Authorization": "Bearer x", "X-Tenant": "7"}
    assert rules.check_headers(headers) == headers
