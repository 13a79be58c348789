"""The gateway between granian and Flask; how it behaves behind the real server is tested in tests/faults."""

import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from processor.clock import utc_now
from processor.reconciliation.baseline import Baseline
from processor.store import keys
from processor.web import create_gateway_from_environment
from processor.web.refusal_log import INTERVAL_S, RefusalLog
from processor.web.request_head import environ_of
from processor.web.rsgi import SMALL_BODY_BYTES, RsgiGateway
from tests.processor.web.rsgi_callers import HOST, Headers, Protocol, ask, scope, sized
from tests.support.ports import own_port
from tests.support.serving import ENVIRON

AT_ONCE_S = 0.05
LONG_S = 60.0
MOST = 100


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


class App:
    """An application that stands still while it is held."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self.goes_on = threading.Event()
        self.goes_on.set()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.called.append(environ["PATH_INFO"])
        if environ["PATH_INFO"] != "/healthz":
            self.goes_on.wait()
        start_response("202 ACCEPTED", [])
        return [b"kept"]

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        self.goes_on.clear()
        try:
            yield
        finally:
            self.goes_on.set()


class Broken(App):
    """An application that lets a fault through, as none should."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        super().__call__(environ, start_response)
        raise ValueError("a fault of ours")


@pytest.mark.parametrize("path", ["/webhooks/codat", "/readyz"])
def test_whoever_comes_while_all_threads_stand_still_is_answered_in_time(path: str) -> None:
    app = App()
    gateway = RsgiGateway(app, threads=1, max_body_bytes=MOST, answer_within_s=AT_ONCE_S)
    with app.held():
        statuses = ask(gateway, *((scope(path=path), Protocol(b"{}")) for _ in range(5)))
    tried = 1
    while ask(gateway, (scope(path=path), Protocol(b"{}"))) == [503]:  # a slow machine
        tried += 1

    assert statuses == [503] * 5
    assert len(app.called) <= 1 + tried, "what was refused before a thread began on it is not begun later"


def test_whether_the_process_lives_is_said_whatever_the_others_wait_for() -> None:
    app = App()
    gateway = RsgiGateway(app, threads=1, max_body_bytes=MOST, answer_within_s=AT_ONCE_S)
    with app.held():
        statuses = ask(
            gateway,
            (scope(), Protocol(b"{}")),
            (scope(path="/readyz", method="GET"), Protocol()),
            (scope(path="/healthz", method="GET"), Protocol()),
        )

    assert statuses == [503, 503, 202]


def test_a_fault_that_the_application_lets_through_is_answered_503_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The server itself answers 500, after which a legacy alert does not come back."""
    caller = Protocol(b"{}")
    gateway = RsgiGateway(Broken(), threads=1, max_body_bytes=MOST, answer_within_s=LONG_S)
    assert ask(gateway, (scope(), caller)) == [503]
    assert json.loads(caller.body)["status"] == 503
    assert "a fault of ours" in caplog.text


@pytest.mark.parametrize("length", [3, MOST, SMALL_BODY_BYTES + 1])
def test_a_body_that_breaks_off_is_not_looked_at(length: int) -> None:
    """Small bodies are read in one step, larger ones in parts."""
    app = App()
    caller = Protocol(b"{}")
    gateway = RsgiGateway(app, threads=1, max_body_bytes=max(MOST, length))
    statuses = ask(gateway, (sized(length), caller))

    assert statuses == [503]
    assert json.loads(caller.body)["status"] == 503
    assert app.called == []


@pytest.mark.parametrize("length", [b"0", b"2", b"x", b"-1", "²".encode("latin-1")])
def test_a_body_of_its_length_or_of_none_that_is_of_use_is_passed_on(length: bytes) -> None:
    headers = Headers(HOST, ("content-length", length.decode("latin-1")))
    gateway = RsgiGateway(App(), threads=1, max_body_bytes=MOST, answer_within_s=LONG_S)
    assert ask(gateway, (scope(headers=headers), Protocol(b"{}"))) == [202]


@pytest.mark.parametrize(("length", "status"), [(MOST, 503), (MOST + 1, 413)])
def test_what_does_not_come_at_all_is_refused_for_what_it_says_it_is(length: int, status: int) -> None:
    gateway = RsgiGateway(App(), threads=1, max_body_bytes=MOST, body_within_s=AT_ONCE_S)
    assert ask(gateway, (sized(length), Protocol(finished=False))) == [status]


DOUBLED = Headers(HOST, ("authorization", "a"), ("authorization", "b"))


@pytest.mark.parametrize("path", ["/webhooks/codat", "/v1/companies"])
def test_messages_that_the_gateway_refuses_are_counted_by_reason(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """What was refused before Flask was counted nowhere; of other addresses no figure tells."""
    for name, value in {**ENVIRON, "REDIS_URL": redis_url, "MAX_BODY_BYTES": str(MOST)}.items():
        monkeypatch.setenv(name, value)
    gateway = create_gateway_from_environment(budget_bytes=0)  # the least budget is that of two messages

    def refused(headers: Headers, body: bytes = b"{}") -> None:
        assert ask(gateway, (scope(path=path, headers=headers), Protocol(body)))[0] in (400, 401, 413, 503)

    refused(Headers(HOST, ("content-length", str(2 * MOST))), b"x" * 2 * MOST)
    refused(Headers(HOST, ("content-length", "3")))
    refused(DOUBLED)
    whole = sized(MOST)
    whole.path = path
    ask(gateway, *((whole, Protocol(b"x" * MOST)) for _ in range(3)))  # the third is beyond the budget

    page = Protocol()
    ask(gateway, (scope(path="/metrics", method="GET"), page))
    counted = {
        reason: f'codat_refused_messages_total{{reason="{reason}"}} 1.0' in page.body.decode()
        for reason in ("too_large", "incomplete", "headers", "crowded")
    }
    assert set(counted.values()) == {path == "/webhooks/codat"}, counted
    assert "messages_refused" in page.body.decode()
    with Redis.from_url(redis_url) as client:
        kept = client.hgetall(keys.receipts())
    assert (kept.get(b"last_reason") in (b"incomplete", b"crowded")) is False


def test_refusals_write_one_line_for_each_reason_and_minute_with_their_number(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each refused request wrote a WARNING line: a stranger filled the log."""
    now = [0.0]
    refusals = RefusalLog(monotonic=lambda: now[0])
    gateway = RsgiGateway(App(), threads=1, max_body_bytes=MOST, refusal_log=refusals)

    def lines() -> list[tuple[str, int | None]]:
        record = [(record.reason, getattr(record, "times", None)) for record in caplog.records]  # type: ignore[attr-defined]
        caplog.clear()
        return record

    for _ in range(50):
        assert ask(gateway, (sized(3), Protocol(b"{}"))) == [503]
        assert ask(gateway, (scope(headers=DOUBLED), Protocol(b"{}"))) == [401]
        refusals.flush()
    assert lines() == [("incomplete", None), ("headers", None)]
    now[0] += INTERVAL_S
    refusals.flush()
    assert lines() == [("incomplete", 49), ("headers", 49)]
    now[0] += INTERVAL_S
    refusals.flush()
    ask(gateway, (sized(3), Protocol(b"{}")))
    assert lines() == [("incomplete", None)], "after a quiet minute it is told at once again"


def test_the_store_is_in_use_before_anybody_is_answered(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A company made in the second before the first tick of the clock was taken for one from before us."""
    for name, value in {**ENVIRON, "REDIS_URL": redis_url}.items():
        monkeypatch.setenv(name, value)
    create_gateway_from_environment()
    with Redis.from_url(redis_url) as client:
        began = Baseline(client).started_at()
        create_gateway_from_environment()
        assert client.hexists(keys.sweep(), "began")
        assert Baseline(client).started_at() == began < utc_now()


def test_a_store_that_is_away_keeps_no_web_process_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = f"redis://127.0.0.1:{own_port()}"
    for name, value in {**ENVIRON, "REDIS_URL": nobody}.items():
        monkeypatch.setenv(name, value)
    create_gateway_from_environment()
