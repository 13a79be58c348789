"""The real server among strangers: a signed message beside them is kept, and they cost little memory.

Nothing here is measured by a clock: refusals are counted, and the largest memory of each process is read.
"""

import contextlib
import resource
import socket
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attack.fuzz import sockets
from tests.attack.test_corpus import try_all
from tests.support import messages
from tests.support.effort import examples
from tests.support.messages import AUTHORIZATION, signed
from tests.support.service import LIMIT_S, Sender, Service
from tests.support.serving import ADDRESS

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc"),
]

STRANGERS = 5_000
MANY_FILES = 8_000
BODY = 1_048_576
MIB = 1024 * 1024
MOST_GROWTH_BYTES = 200 * MIB
"""What a process may grow by: the budget of 64 MiB, what the server holds of each connection, and slack."""

LONG_PATH = b"/" + b"a" * 60_000


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """One service for all tests here, whose web process keeps every message to itself."""
    with (
        tempfile.TemporaryDirectory(prefix="codat-") as folder,
        Service(Path(folder), WEB_CONCURRENCY="1") as running,
    ):
        yield running


@pytest.fixture
def lines() -> Iterator[list[socket.socket]]:
    """Connections that are closed at the end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < MANY_FILES:
        pytest.skip("this system does not allow so many connections")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, MANY_FILES), hard))
    opened: list[socket.socket] = []
    yield opened
    for line in opened:
        line.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def line_to(service: Service, sent: bytes = b"") -> socket.socket:
    """A connection on which something was sent already."""
    line = socket.create_connection(("127.0.0.1", service.port), timeout=LIMIT_S)
    with contextlib.suppress(OSError):  # it may be closed on us
        line.sendall(sent)
    return line


def head(*rows: str, first: str = f"POST {ADDRESS} HTTP/1.1") -> bytes:
    return "\r\n".join((first, "Host: localhost", *rows, "", "")).encode()


def status_on(line: socket.socket) -> int:
    """The status of the next answer; 0 where the connection broke."""
    received = b""
    with contextlib.suppress(OSError):
        while b"\r\n" not in received and (part := line.recv(4096)):
            received += part
    return int(received.split(b" ", 2)[1]) if received.startswith(b"HTTP/1.") else 0


def largest_bytes(service: Service) -> int:
    """The largest memory that a process of the service had until now."""
    found = []
    for pid in service.everybody():
        with contextlib.suppress(OSError):
            rows = Path(f"/proc/{pid}/status").read_text().splitlines()
            found += [int(row.split()[1]) * 1024 for row in rows if row.startswith("VmHWM")]
    return max(found)


def assert_a_message_is_kept(service: Service) -> None:
    sender = Sender(service, threads=1)
    bodies = {messages.fresh(): messages.other() for _ in range(3)}
    sender.send(bodies)
    assert sender.accepted == sorted(bodies)


def test_a_message_is_kept_beside_paths_of_60_000_letters(
    service: Service, lines: list[socket.socket]
) -> None:
    """Four of them, broken off in the body: no answer to anybody for 241 s."""
    for _ in range(20):
        line = line_to(
            service, b"POST " + LONG_PATH + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"
        )
        line.shutdown(socket.SHUT_WR)
        lines.append(line)
    assert_a_message_is_kept(service)

    assert Counter(map(status_on, lines)) == {503: 20}
    assert max(map(len, service.log.splitlines())) < 10_000


@pytest.mark.parametrize(
    "sent", [b"", b"POST /webhooks/codat HTTP/1.1\r\nHost: a\r\nX-Half: "], ids=["idle", "half"]
)
def test_a_message_is_kept_beside_5_000_connections_that_say_nothing(
    service: Service, lines: list[socket.socket], sent: bytes
) -> None:
    """1,030 of them, opened in 0.1 s, kept a signed message waiting for 95 s, again and again."""
    before = largest_bytes(service)
    lines += [line_to(service, sent) for _ in range(STRANGERS)]
    assert_a_message_is_kept(service)

    assert largest_bytes(service) - before < MOST_GROWTH_BYTES


def test_a_connection_without_a_request_is_closed_while_one_that_was_used_stays_open(
    service: Service, lines: list[socket.socket]
) -> None:
    """Each silent one was held for 95 s, which is how long a proxy's may be idle between two requests."""
    used, silent, half = (
        line_to(service, head(first="GET /healthz HTTP/1.1")),
        line_to(service),
        line_to(service, b"G"),
    )
    lines += [used, silent, half]
    assert status_on(used) == 200
    assert (silent.recv(1), half.recv(1)) == (b"", b"")
    used.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while used.recv(4096):  # the rest of the answer
            pass
    used.setblocking(True)
    used.sendall(head(first="GET /healthz HTTP/1.1"))
    assert status_on(used) == 200


def test_unfinished_bodies_stay_within_the_budget_and_a_message_is_kept(
    service: Service, lines: list[socket.socket]
) -> None:
    """900 unfinished bodies of 1 MB made each process grow from 100 to 745 MB."""
    before = largest_bytes(service)
    unfinished = head(f"Content-Length: {BODY}") + b"x" * (BODY - 1)
    lines += [line_to(service, unfinished) for _ in range(300)]
    assert_a_message_is_kept(service)

    assert Counter(map(status_on, lines)) == {503: 300}
    assert largest_bytes(service) - before < MOST_GROWTH_BYTES


@pytest.mark.parametrize("place", ["/v1/companies", "/connect/x", "/ops", "/nowhere"])
def test_where_only_small_bodies_belong_a_large_one_is_refused(
    service: Service, lines: list[socket.socket], place: str
) -> None:
    """A megabyte was read from anybody for addresses whose bodies have some hundred bytes."""
    body = head(f"Content-Length: {BODY}", first=f"POST {place} HTTP/1.1") + b"x" * BODY
    lines.append(line_to(service, body))
    assert status_on(lines[0]) == 413


def test_http2_is_not_spoken(service: Service, lines: list[socket.socket]) -> None:
    """Three connections of HTTP/2, two hundred streams each, took 514 MB."""
    before = largest_bytes(service)
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    lines += [line_to(service, preface + b"\x00" * 100_000) for _ in range(50)]
    assert_a_message_is_kept(service)

    assert not any(status_on(line) in range(200, 300) for line in lines)
    assert largest_bytes(service) - before < MOST_GROWTH_BYTES


@pytest.mark.parametrize(
    "rest",
    ["", "9\r\nabc", "zz\r\n", "3\r\nabc\r\n0\r\n"],
    ids=["none", "in a part", "no part", "at the end"],
)
def test_a_body_in_chunks_that_breaks_off_is_asked_for_again(
    service: Service, lines: list[socket.socket], rest: str
) -> None:
    """It counted as whole: a legacy alert that was cut in half was refused, and does not come back."""
    body = messages.legacy("x")
    sent = head(f"Authorization: {AUTHORIZATION}", "Transfer-Encoding: chunked")
    lines.append(line_to(service, sent + b"%x\r\n%s\r\n" % (len(body[:-9]), body[:-9]) + rest.encode()))
    lines[0].shutdown(socket.SHUT_WR)
    assert status_on(lines[0]) == 503


def test_a_request_whose_end_is_in_doubt_is_refused_and_nothing_after_it_is_read(service: Service) -> None:
    """Else what one reader in front takes for a body would be another caller's request here."""
    statuses = {
        name: sockets.answers(service.port, sent + sockets.NEXT) for name, sent in sockets.REFUSED.items()
    }
    assert not {
        name: row for name, row in statuses.items() if len(row) != 1 or row[0] not in sockets.REFUSALS
    }


def test_after_a_request_with_one_reading_the_next_one_is_read(service: Service) -> None:
    for name, sent in sockets.READ.items():
        for piece in (0, 1, 7):
            statuses = sockets.answers(service.port, sent + sockets.NEXT, piece=piece)
            assert len(statuses) == sockets.whole_requests(sent + sockets.NEXT) > 1, (name, statuses)
            assert statuses[-1] == 200, name


def test_no_bytes_on_a_connection_make_the_server_fail(service: Service) -> None:
    try_all("connection", sockets.of_server(service.port)["connection"], examples(300))
    assert_a_message_is_kept(service)


def test_a_get_with_a_body_is_answered_like_one_without(service: Service, lines: list[socket.socket]) -> None:
    """Its body was not read, and so it was answered 503."""
    lines.append(line_to(service, head("Content-Length: 2", first="GET /healthz HTTP/1.1") + b"{}"))
    assert status_on(lines[0]) == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
        (
            b"GET /v1/stats HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\nAuthorization: b\r\n\r\n",
            401,
        ),
        ("GET /v1/events?é HTTP/1.1\r\nHost: a\r\n\r\n".encode(), 400),
        ("GET /return?é HTTP/1.1\r\nHost: a\r\n\r\n".encode(), 400),
        (b"GET /return?\xe9 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /return?%C3%A9&%FF HTTP/1.1\r\nHost: a\r\n\r\n", 200),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(
    service: Service, lines: list[socket.socket], sent: bytes, status: int
) -> None:
    """No ``Host`` or two were taken; ``/v1/events?é`` was 500, and on ``/return?é`` the error page raised."""
    lines.append(line_to(service, sent))
    assert status_on(lines[0]) == status


def test_a_header_with_an_underscore_speaks_for_no_proxy(data_dir: Path) -> None:
    """``X_Forwarded_For`` behind ``X-Forwarded-For`` got past CODAT_SENDER_IPS."""
    body = messages.other()
    with Service(data_dir, CODAT_SENDER_IPS="192.0.2.1", TRUSTED_PROXIES="1", WEB_CONCURRENCY="1") as service:
        rows = [f"{name}: {value}" for name, value in signed(body).items()]
        forged = head(
            "X-Forwarded-For: 198.51.100.1",
            "X_Forwarded_For: 192.0.2.1",
            *rows,
            f"Content-Length: {len(body)}",
        )
        with line_to(service, forged + body) as line:
            assert status_on(line) == 403
        honest = head("X-Forwarded-For: 192.0.2.1", *rows, f"Content-Length: {len(body)}")
        with line_to(service, honest + body) as line:
            assert status_on(line) in (202, 503)
