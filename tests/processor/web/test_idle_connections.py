"""A connection without a request is closed soon; one that is used may be idle for longer."""

import contextlib
import resource
import socket
from collections.abc import Iterator

import pytest

from processor.web.idle_connections import OPEN_FILES, ConnectionReaper

pytestmark = pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="open files are read from /proc")

LIMIT_S = 60.0


@contextlib.contextmanager
def connected(address: str, count: int) -> Iterator[list[tuple[socket.socket, str]]]:
    """Connections to a listening socket of this process: the callers' ends, and what they are called."""
    with contextlib.ExitStack() as stack:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        door = stack.enter_context(socket.socket(family))
        door.bind((address, 0))
        door.listen()
        ends = []
        for _ in range(count):
            line = stack.enter_context(socket.create_connection(door.getsockname()[:2], timeout=LIMIT_S))
            stack.enter_context(door.accept()[0])
            port = line.getsockname()[1]
            ends.append((line, f"[{address}]:{port}" if ":" in address else f"{address}:{port}"))
        yield ends


def is_open(line: socket.socket) -> bool:
    line.setblocking(False)
    try:
        return line.recv(1) != b""
    except BlockingIOError:
        return True


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_who_says_nothing_in_time_is_closed_and_who_spoke_is_not(address: str) -> None:
    """1,030 idle sockets of a stranger were each held for 95 s, as long as a proxy's between two requests."""
    reaper = ConnectionReaper(within_s=15)
    with connected(address, 3) as ((silent, _), (spoke, name), (late, late_name)):
        reaper.note_request(name)
        reaper.reap(100.0)
        reaper.reap(114.9)
        assert is_open(silent)
        reaper.note_request(late_name)
        reaper.reap(115.0)
        assert not is_open(silent)
        reaper.reap(10_000.0)
        assert is_open(spoke)
        assert is_open(late)


def test_it_goes_on_after_a_time_without_a_free_file_descriptor() -> None:
    """Its thread ended for good when silent connections held all descriptors, just when it was needed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    reaper = ConnectionReaper(within_s=0)
    with connected("127.0.0.1", 1) as ((silent, _),):
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            reaper.reap(100.0)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert is_open(silent)
        reaper.reap(200.0)
        assert not is_open(silent)


def test_connections_that_this_process_made_are_left_alone() -> None:
    """Those to Redis have no caller."""
    reaper = ConnectionReaper(within_s=0)
    with connected("127.0.0.1", 1) as ((caller, _),):
        reaper.reap(0.0)
        caller.setblocking(True)
        assert caller.recv(1) == b""  # the accepted end was closed, by its own side
        caller.send(b"x")


def test_who_is_gone_is_forgotten() -> None:
    reaper = ConnectionReaper()
    with connected("127.0.0.1", 1) as ((_, name),):
        reaper.note_request(name)
        reaper.reap(0.0)
        assert reaper._active == {name}
    reaper.reap(0.0)
    assert reaper._active == {name}, "one look may have missed it"
    reaper.reap(0.0)
    assert reaper._active == set()


def test_a_port_that_is_used_again_begins_anew() -> None:
    """A caller that was missed by one look and then spoke was forgotten at the next look that missed it."""
    reaper = ConnectionReaper()
    with connected("127.0.0.1", 1) as ((_, name),):
        reaper.note_request(name)
    reaper.reap(0.0)
    reaper.note_request(name)
    reaper.reap(0.0)
    assert reaper._active == {name}
