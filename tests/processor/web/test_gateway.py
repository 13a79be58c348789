"""The gateway between granian and Flask; how it behaves behind the real server is tested in tests/faults."""

from types import SimpleNamespace
from typing import Any

import pytest

from processor.web.gateway import environ_of


class Headers(dict[str, str]):
    """What granian passes: names in lower case, the same name possibly several times."""

    def __init__(self, *pairs: tuple[str, str]) -> None:
        super().__init__(pairs)
        self._pairs = pairs

    def items(self) -> Any:
        return self._pairs


def scope(**given: Any) -> Any:
    usual = {
        "method": "POST",
        "path": "/webhooks/codat",
        "query_string": "",
        "http_version": "1.1",
        "scheme": "http",
        "server": "127.0.0.1:8000",
        "client": "192.0.2.7:40000",
        "headers": Headers(("host", "example.test"), ("content-type", "application/json")),
        "authority": None,
    }
    return SimpleNamespace(**{**usual, **given})


def test_a_request_becomes_the_environment_of_pep_3333() -> None:
    environ = environ_of(scope(query_string="a=1&b=%20"), b"{}")
    assert environ["REQUEST_METHOD"] == "POST"
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == ("/webhooks/codat", "a=1&b=%20")
    assert (environ["HTTP_HOST"], environ["CONTENT_TYPE"]) == ("example.test", "application/json")
    assert (environ["REMOTE_ADDR"], environ["SERVER_PORT"]) == ("192.0.2.7", "8000")
    assert environ["wsgi.input"].read() == b"{}"


def test_a_header_that_comes_twice_is_joined_in_its_order() -> None:
    headers = Headers(("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "192.0.2.2"))
    assert environ_of(scope(headers=headers), b"")["HTTP_X_FORWARDED_FOR"] == "192.0.2.1,192.0.2.2"


def test_an_escaped_path_is_given_as_the_bytes_that_it_means() -> None:
    assert (
        environ_of(scope(path="/v1/events/caf%C3%A9"), b"")["PATH_INFO"].encode("latin-1")
        == "/v1/events/café".encode()
    )


@pytest.mark.parametrize(
    ("client", "address"), [("[2001:db8::1]:443", "2001:db8::1"), ("2001:db8::1:443", "2001:db8::1")]
)
def test_an_ipv6_caller_is_named_without_brackets(client: str, address: str) -> None:
    assert environ_of(scope(client=client), b"")["REMOTE_ADDR"] == address


def test_over_http2_the_authority_stands_for_the_host() -> None:
    assert environ_of(scope(headers=Headers(), authority="example.test"), b"")["HTTP_HOST"] == "example.test"
