"""What takes bytes from strangers. A target returns for what it answers or refuses, and raises for a fault.

Each has seeds, which are real inputs; mutations of them are tried by ``make fuzz``, and a few by the suite.
"""

import asyncio
import base64
import contextlib
import hmac
import ipaddress
import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx

from processor.access import operators
from processor.access.operators import Operator
from processor.alerts.dialects import Unrecognised, recognise
from processor.alerts.replay import decode_event
from processor.alerts.signature import AuthenticatedBy, Authenticator, NotAuthentic, event_id_of
from processor.delivery.http_connection import HttpConnection, NoResponse
from processor.delivery.http_sender import _request
from processor.delivery.rules import PORTS, check_url
from processor.delivery.ssrf import refusal
from processor.errors import Invalid
from processor.journey.errors import TokenExpired, TokenInvalid
from processor.journey.tokens import Tokens
from processor.settings import web_addresses
from processor.settings.people import USER, Role
from processor.web.canonical_request import CanonicalRequest
from processor.web.request_head import declared_length
from processor.web.rsgi import RsgiGateway
from tests.processor.web.rsgi_callers import Headers, Protocol, ask, scope
from tests.processor.web.v1.filling import KEY, Filling
from tests.support import messages

AT = datetime(2026, 11, 22, 15, tzinfo=UTC)
NOW = 1_790_000_000
SIGNING_KEY = base64.b64decode(messages.SECRET.removeprefix("whsec_"))
AUTHENTICATOR = Authenticator(secrets=[messages.SECRET], authorizations=["Basic x"], clock=lambda: NOW)
TOKENS = Tokens(lambda: ["a key"], clock=lambda: NOW)


class Target(NamedTuple):
    """``seeds`` are inputs to begin with."""

    attempt: Callable[[bytes], object]
    seeds: tuple[bytes, ...]


def head_of(data: bytes) -> tuple[dict[str, str], bytes]:
    """Headers, one a line, and what follows an empty line."""
    head, _, rest = data.partition(b"\n\n")
    return dict(line.split(": ", 1) for line in head.decode("latin-1").split("\n") if ": " in line), rest


def body(data: bytes) -> None:
    """The body of an authentic message: an event that is the same when it is read again, or quarantine."""
    with contextlib.suppress(Unrecognised):
        event = recognise(data, event_id="msg_1", received_at=AT)
        assert event == decode_event(data, source=event.source, event_id="msg_1", received_at=AT)


def signature(data: bytes) -> None:
    """The headers and body of a message: what is accepted was signed, and its id can be a key and a path."""
    headers, sent = head_of(data)
    try:
        by = AUTHENTICATOR.authenticate(headers, sent)
    except NotAuthentic:
        return
    id_ = event_id_of(headers, sent)
    assert id_.isascii(), id_
    assert id_.isprintable(), id_
    assert not set(id_) & set("/\\ "), id_
    lowered = {name.lower(): value for name, value in headers.items()}
    if by is AuthenticatedBy.AUTHORIZATION:
        assert lowered["authorization"] == "Basic x"
        return
    family = (
        "webhook"
        if all(f"webhook-{part}" in lowered for part in ("id", "timestamp", "signature"))
        else "svix"
    )
    signed_id, at = (lowered[f"{family}-{part}"].encode("latin-1") for part in ("id", "timestamp"))
    expected = base64.b64encode(hmac.digest(SIGNING_KEY, b".".join((signed_id, at, sent)), "sha256")).decode()
    assert f"v1,{expected}" in lowered[f"{family}-signature"].split(" ")
    assert abs(int(at) - NOW) <= 300


def request(data: bytes) -> None:
    """A request as the server passes it on: every one is answered, with a status that a caller can act on."""
    headers, rest = head_of(data)
    path, _, sent = rest.partition(b"\n")
    address, _, query = path.decode("latin-1").partition("?")
    given = Headers(*((name.lower(), value) for name, value in headers.items()))

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        assert environ["PATH_INFO"].encode("latin-1") is not None
        assert environ["QUERY_STRING"].isascii()
        start_response("202 ACCEPTED", [])
        return [b""]

    canonical = CanonicalRequest(app, public_url=None, hops=1)
    gateway = RsgiGateway(canonical, threads=1, max_body_bytes=1_000, answer_within_s=60)
    (status,) = ask(gateway, (scope(path=address, query_string=query, headers=given), Protocol(sent)))
    gateway._pool.shutdown()
    assert status in (202, 400, 401, 413, 503), status
    if status == 503:  # so is a fault of ours answered; here a body that broke off
        assert len(sent) < declared_length(given)


def answer(data: bytes) -> None:
    """The answer of a receiver: a status, or none; never more of it than is kept."""

    async def read() -> None:
        connection = HttpConnection()
        connection.connection_made(_NoTransport())  # type: ignore[arg-type]
        reading = asyncio.ensure_future(connection.send(b""))
        await asyncio.sleep(0)
        for part in (data[:7], data[7:]):
            connection.data_received(part)
        connection.connection_lost(None)
        with contextlib.suppress(NoResponse):
            response = await reading
            assert 200 <= response.status < 1000
            assert len(response.text) <= 1024
            assert "\x00" not in response.text

    asyncio.run(read())


class _NoTransport:
    def write(self, data: bytes) -> None:
        """Send it nowhere."""

    def abort(self) -> None:
        """There is nothing to close."""


def return_url(data: bytes) -> None:
    """Where a browser may be sent to: one reading for us, for httpx and for the standard library."""
    text = data.decode("latin-1")
    try:
        address = web_addresses.parse(text)
    except ValueError:
        return
    normal = str(address)
    assert web_addresses.parse(normal) == address
    host, others = urlsplit(address.origin).netloc, {urlsplit(normal).netloc, urlsplit(text).netloc.lower()}
    assert host in others
    with contextlib.suppress(httpx.InvalidURL):
        url = httpx.URL(normal)
        assert f"{url.scheme}://{url.netloc.decode()}" == address.origin
    assert normal.startswith(f"{address.origin}/")
    assert not set(normal) & set(" \\\t\r\n")


def subscriber(data: bytes) -> None:
    """Where notifications are posted to: never to this network, whatever way its host is written."""
    text = data.decode("latin-1")
    try:
        url = check_url(text, allow_private=False)
        to, sent = _request(url, b"", {}, "me")
    except (Invalid, httpx.InvalidURL, ValueError):
        return  # refused when it is set, or a failed attempt
    assert to.tls
    assert to.port in PORTS
    assert sent.count(b"\r\n\r\n") == 1
    assert sent.startswith(b"POST /")
    assert sent.count(b"\r\nHost: ") == 1
    with contextlib.suppress(OSError, UnicodeError):  # the system reads 127.1, 0x7f.1 and 2130706433 too
        for _, _, _, _, place in socket.getaddrinfo(to.host, to.port, flags=socket.AI_NUMERICHOST):
            ip = ipaddress.ip_address(str(place[0]).partition("%")[0])
            assert ip.is_global or refusal(str(place[0])), text


def token(data: bytes) -> None:
    """The token of a link: that of somebody, or none."""
    with contextlib.suppress(TokenInvalid, TokenExpired):
        assert TOKENS.claims(data.decode("latin-1")).company_id == "c1"


PURE = {
    "body": Target(
        body,
        (
            messages.connected("c1", "xero"),
            messages.initial_read("c1", "xero"),
            messages.legacy("c1"),
            messages.other(),
            b'{"eventType":"connection.disconnected","payload":{"connection":{"id":"x","status":"Unlinked"}}}',
        ),
    ),
    "signature": Target(
        signature,
        tuple(
            "\n".join(
                (*(f"{name}: {value}" for name, value in headers.items()), "", messages.other().decode())
            ).encode()
            for headers in (
                messages.signed(messages.other(), "msg_1", at=datetime.fromtimestamp(NOW, UTC)),
                messages.signed(
                    messages.other(), "msg_2", at=datetime.fromtimestamp(NOW - 300, UTC), family="svix"
                ),
                {"Authorization": "Basic x"},
                {"Authorization": "Basic x", "webhook-id": "a"},
            )
        ),
    ),
    "request": Target(
        request,
        (
            b"host: a\ncontent-length: 2\n\n/webhooks/codat?x=1\n{}",
            b"host: a.example:8000\nx-forwarded-proto: https\nx_forwarded_for: b\n\n/v1/events?a=%FF&b\n",
            b"host: [::1]:1\ntransfer-encoding: chunked\n\n//webhooks//codat/%2e%2e\nabc",
        ),
    ),
    "answer": Target(
        answer,
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 503 No\r\nRetry-After: 120\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 410 Gone\r\n\r\n",
            b"HTTP/1.0 204\r\nConnection: close\r\n\r\n",
        ),
    ),
    "return_url": Target(
        return_url,
        (
            b"https://shop.example/back?x=1#y",
            b"http://localhost:3000/",
            b"https://SHOP.example:443\\@evil.example/",
            b"https://[::1]:8443/a/../b?c",
        ),
    ),
    "subscriber": Target(
        subscriber,
        (
            b"https://hook.example:8443/a?b=c",
            b"https://[2606:4700::1111]/",
            b"https://127.1/",
            b"https://0x7f000001/",
            b"https://[::ffff:10.0.0.1]:443/%0d%0a",
            b"https://1.1.1.1.%31:443/",
        ),
    ),
    "token": Target(
        token, (TOKENS.make("c1").encode(), TOKENS.make("c1", lifetime_s=60, generation=2).encode())
    ),
}
"""Targets without a store."""


def of_application(filling: Filling) -> dict[str, Target]:
    """Targets on an application: searches, filters and cursors, and what browsers send."""
    filling.make_ready()
    client = filling.app.test_client(use_cookies=False)
    session = filling.container.operator_sessions.open(Operator(USER, Role.ADMIN), operators.PASSWORD)

    def get(path: str, headers: dict[str, str]) -> None:
        reply = client.get(path, headers=headers)
        is_known = reply.status_code == 503 and b"codat_not_set" in reply.data
        assert reply.status_code < 500 or is_known, reply.text[:300]
        if reply.is_json:
            json.loads(reply.data)

    def query(data: bytes) -> None:
        path = data.decode("latin-1").lstrip("/")
        is_page = path.startswith("ops")
        get(
            f"/{path}",
            {"Cookie": f"operator={session}"} if is_page else {"Authorization": f"Bearer {KEY}"},
        )

    def cookie(data: bytes) -> None:
        line, _, path = data.partition(b"\n")
        text = line.decode("latin-1").replace("\r", "").replace("\x00", "")
        get(f"/{path.decode('latin-1').lstrip('/')}", {"Cookie": text, "Accept-Language": text})

    link = filling.container.journey.tokens.make("c1")
    return {
        "query": Target(
            query,
            (
                b"/v1/connections?state=ready&company_id=c1&limit=2&cursor=eyJhIjoxfQ",
                b"/v1/events?status=processed&since=2026-11-22T15:00:00Z",
                b"/v1/notifications?connection_id=xero&type=connection.authorized",
                b"/v1/connections/xero/timeline?limit=1&cursor=1-0",
                b"/v1/connections/xero?at=2026-11-22T15:03:00Z",
                b"/v1/funnel?days=30&platform_key=gbol",
                b"/v1/audit?kind=operator&limit=1",
                b"/ops/search?q=xero",
                b"/ops/search?q=owner%40shop.example",
                b"/ops/events?status=dead&type=x&since=2026-11-22&format=csv",
                b"/ops/connections?state=ready&merchant=m-c1",
                b"/ops/connections/xero?at=2026-11-22T15:03",
                b"/ops/audit?actor=x&cursor=9",
            ),
        ),
        "cookie": Target(
            cookie,
            (
                b"visit-000000000000=%s; browser=abc; lang-0=nl\n/return?connectionId=xero&statuscode=200"
                % link.encode(),
                b"operator=%s; __Host-operator=x\n/ops" % session.encode(),
                b"browser=\xff\xfe; thanked=1\n/connect/%s?lang=de" % link.encode(),
            ),
        ),
    }
