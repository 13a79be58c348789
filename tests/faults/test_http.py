"""The real server: chunked bodies, slow and broken callers, and a thousand at once."""

import contextlib
import hashlib
import json
import select
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.support import cells, messages
from tests.support.messages import AUTHORIZATION, signed
from tests.support.service import LIMIT_S, ROOT, Sender, Service, is_done, until
from tests.support.serving import ADDRESS

pytestmark = pytest.mark.timeout(600)

MOST = 1_048_576
BUSY = 503
"""What a busy machine may answer to anything: Redis, or a thread, took too long. It may close the line."""

TRIES = 10
"""How often a busy machine is asked for what needs some seconds without interruption."""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """One service for all tests here."""
    with tempfile.TemporaryDirectory(prefix="codat-") as folder, Service(Path(folder)) as running:
        yield running


@contextlib.contextmanager
def line_to(service):
    """A bare connection."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=LIMIT_S) as line:
        yield line


def head(headers, *more):
    lines = [f"POST {ADDRESS} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join([*lines, *more]) + "\r\n\r\n").encode()


def chunked(body, size):
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def answer_on(line):
    """Status, headers and body of the next answer."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = line.recv(65536)
        assert part, received
        received += part
    first, _, body = received.partition(b"\r\n\r\n")
    status_line, *rows = first.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rows)}
    while len(body) < int(headers.get("content-length", 0)):
        body += line.recv(65536)
    return int(status_line.split()[1]), headers, body


def answer_to(service, sent):
    """Status and body of the answer to a whole request, sent again while the answer is to try again."""
    while True:
        with line_to(service) as line:
            line.sendall(sent)
            status, _, told = answer_on(line)
        if status != BUSY:
            return status, told


def answers_on_one_line(service, requests):
    """The statuses of the answers to requests on one connection, up to the one that closes it."""
    statuses = []
    with line_to(service) as line:
        for sent in requests:
            line.sendall(sent)
            status, headers, _ = answer_on(line)
            statuses.append(status)
            if headers.get("connection") == "close":
                break
    return statuses


def kept(service, event_id):
    return cells.message(service.redis(), event_id).get("body")


def test_the_same_message_a_thousand_times_at_once_is_kept_once_and_takes_effect_once(service):
    body = messages.connected("company-thousand", "connection-thousand")
    senders = [Sender(service, threads=1) for _ in range(8)]
    together = threading.Barrier(8)

    def send(sender):
        together.wait()
        codes = []
        for _ in range(125):
            sender.send({"msg_thousand": body})
            codes += sender.answers.values()
        return codes

    with ThreadPoolExecutor(8) as pool:
        codes = [code for many in pool.map(send, senders) for code in many]
    until(lambda: is_done(service, ["msg_thousand"]))

    assert len(codes) == 1_000
    assert set(codes) <= {200, 202}
    assert codes.count(202) <= 1  # its answer may have come too late for the sender's patience, not it itself
    bench = service.bench()
    assert len(bench.timeline("connection-thousand")) == 1
    assert bench.told_types("connection-thousand") == ["connection.authorized"]
    assert int(bench.event("msg_thousand")["duplicates"]) >= 999


@pytest.mark.parametrize("size", [1, 100, 70_000])
def test_a_body_in_chunks_is_kept_whole(service, size):
    body = messages.connected("company-chunks", f"connection-chunks-{size}")
    event_id = f"msg_chunks_{size}"
    sent = head(signed(body, event_id), "Transfer-Encoding: chunked") + chunked(body, size)
    status, told = answer_to(service, sent)

    assert status in (200, 202)
    assert json.loads(told)["event_id"] == event_id
    assert kept(service, event_id) == body


@pytest.mark.parametrize("way", ["chunks", "its length"])
def test_a_body_that_is_too_large_is_answered_413(service, way):
    body = b"x" * (10 * MOST)
    headers = signed(body, f"msg_large_{way[0]}")
    how = "Transfer-Encoding: chunked" if way == "chunks" else f"Content-Length: {len(body)}"
    sent = chunked(body, 65_536) if way == "chunks" else body

    def push(line):
        with contextlib.suppress(OSError):  # we need not be let finish
            line.sendall(sent)

    status = BUSY
    while status == BUSY:  # so many bytes may take too long
        with line_to(service) as line:
            line.sendall(head(headers, how))
            pushing = threading.Thread(target=push, args=(line,))
            pushing.start()
            status, answered, told = answer_on(line)
            with contextlib.suppress(OSError):  # the server may have closed it already
                line.shutdown(socket.SHUT_RDWR)
            pushing.join()

    assert status == 413
    assert answered["content-type"] == "application/problem+json"
    assert json.loads(told)["status"] == 413
    assert kept(service, f"msg_large_{way[0]}") is None


def test_a_body_that_breaks_off_is_asked_for_again_and_nothing_of_it_is_kept(service):
    """Judged as it came it would be no JSON, and a legacy alert does not come back after that."""
    body = messages.legacy("x")
    part = body[:-9]
    with line_to(service) as line:
        line.sendall(head({"Authorization": AUTHORIZATION}, f"Content-Length: {len(body)}") + part)
        line.shutdown(socket.SHUT_WR)
        status, answered, _ = answer_on(line)

    assert status == 503
    assert int(answered["retry-after"]) > 0
    assert kept(service, f"sha256-{hashlib.sha256(part).hexdigest()}") is None


def test_a_body_of_just_the_limit_is_kept(service):
    body = messages.current("x", "y" * MOST)
    body = body.replace(b"y" * (len(body) - MOST), b"", 1)
    assert len(body) == MOST
    sent = head(signed(body, "msg_limit"), "Transfer-Encoding: chunked") + chunked(body, 50_000)
    status, _ = answer_to(service, sent)

    assert status in (200, 202)
    assert kept(service, "msg_limit") == body


def test_bytes_beyond_ascii_in_headers_arrive_as_they_were_sent(service):
    body = messages.legacy("x")
    written = head({"Authorization": "Bearer \xff\xfe"}, f"Content-Length: {len(body)}")
    status, _ = answer_to(service, written.decode().encode("latin-1") + body)

    assert status == 401


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"POST " + ADDRESS.encode() + b" HTTP/9.9\r\n\r\n",
        b"\x00" * 100,
        head({"Content-Length": "-5"}),
        head({"Content-Length": "x"}),
        head({"A": "x" * 200_000}),
    ],
    ids=["TLS", "half a line", "another HTTP", "zeros", "negative length", "no length", "endless header"],
)
def test_what_is_no_http_at_all_disturbs_nobody(service, garbage):
    with line_to(service) as line, contextlib.suppress(OSError):  # it may be closed on us at any point
        line.sendall(garbage)
        line.shutdown(socket.SHUT_WR)
        while line.recv(65536):
            pass

    sender = Sender(service, threads=1)
    event_id = messages.fresh()
    sender.send({event_id: messages.other()})
    assert sender.accepted == [event_id]


@pytest.mark.parametrize("where", ["in the headers", "before the body", "in the body"])
def test_slow_callers_do_not_keep_others_waiting(service, where):
    """More of them than there are threads in the server; none is given up before the others are answered."""
    body = messages.other()
    whole = head({"Authorization": AUTHORIZATION}, f"Content-Length: {len(body)}") + body
    cut = {"in the headers": 60, "before the body": len(whole) - len(body), "in the body": len(whole) - 9}[
        where
    ]
    for _ in range(TRIES):
        with contextlib.ExitStack() as stack:
            lines = [stack.enter_context(line_to(service)) for _ in range(40)]
            for line in lines:
                line.sendall(whole[:cut])
            for _ in range(8):
                other = messages.other()
                answer = httpx.post(
                    service.url + ADDRESS,
                    content=other,
                    headers=signed(other),
                    timeout=LIMIT_S,
                    trust_env=False,
                )
                assert answer.status_code in (202, BUSY)
            given_up, _, _ = select.select(lines, [], [], 0)

            for line in lines:
                with contextlib.suppress(OSError):  # the server may have closed it already
                    line.sendall(whole[cut:])
            assert {answer_on(line)[0] for line in lines} <= {200, 202, BUSY}
        if not given_up:
            break
    assert not given_up


def test_callers_who_go_away_in_the_middle_leave_nothing(service):
    body = messages.other()
    for _ in range(20):
        with line_to(service) as line:
            line.sendall(head(signed(body, "msg_gone"), f"Content-Length: {len(body)}") + body[:20])

    sender = Sender(service, threads=1)
    sender.send({"msg_after": body})
    assert sender.accepted == ["msg_after"]
    assert kept(service, "msg_gone") is None


def test_one_connection_carries_many_messages(service):
    answers = []
    while len(answers) < 20:
        bodies = [messages.other() for _ in range(20)]
        answers = answers_on_one_line(
            service, (head(signed(body), f"Content-Length: {len(body)}") + body for body in bodies)
        )
        assert set(answers) <= {202, BUSY}
        assert len(answers) == 20 or answers[-1] == BUSY


def test_an_answer_of_an_error_leaves_the_connection_usable_or_closes_it(service):
    body = b"nonsense"
    sent = (head({}, f"Content-Length: {len(body)}") + body for _ in range(3))
    assert set(answers_on_one_line(service, sent)) <= {401, BUSY}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks are for Linux only")
def test_all_processes_are_forks_of_one_that_imported_what_they_need(data_dir):
    """Web, worker and clock imported the same modules, each for itself: three seconds of a processor.

    The service is an interpreter of its own: a fork has one thread, whatever the imported modules started.
    """
    with Service(data_dir, PYTHONPATH=str(ROOT)) as fresh:
        arguments = Path(f"/proc/{fresh.pid}/cmdline").read_bytes()
        assert arguments.split(b"\0")[1:-1] == [b"-m", b"processor", b"run"]
        forks = [pid for pid in fresh.everybody() if Path(f"/proc/{pid}/cmdline").read_bytes() == arguments]
        names = {Path(f"/proc/{pid}/comm").read_text().strip() for pid in forks}
        assert {"web", "worker", "clock", "drain-1"} <= names
