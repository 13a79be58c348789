"""Ends a child process when its parent is gone: the parent holds the other end of a pipe."""

import contextlib
import logging
import os
import select
import signal
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

PARENT_FD = "CODAT_PROCESSOR_PARENT_FD"
"""The environment variable with the number of the pipe that ends with the supervisor."""


def watch_parent(grace_s: float = 8.5) -> None:
    """End this process when its supervisor is gone: SIGTERM, and SIGKILL after ``grace_s`` seconds.

    Does nothing in a process without a supervisor. Call it once, before starting processes.
    """
    fd = _parent_fd()
    if fd is not None:
        end_with_writer(fd, "Supervisor is gone: ending", grace_s)


def orphan_check() -> Callable[[], bool]:
    """A function that returns whether our supervisor is gone, for a process that must not have threads."""
    fd = _parent_fd()
    if fd is None:
        return lambda: False
    poll = select.poll()
    poll.register(fd, select.POLLIN)  # without O_NONBLOCK, which all processes with this pipe would share
    return lambda: bool(poll.poll(0))


def _parent_fd() -> int | None:
    """The pipe from our supervisor, if there is one."""
    number = os.environ.pop(PARENT_FD, None)
    if number is None:
        return None
    with contextlib.suppress(OSError):
        os.set_inheritable(int(number), False)
        return int(number)
    return None


def end_with_writer(fd: int, log_line: str, grace_s: float) -> None:
    """End this process when the last writing end of the pipe ``fd`` is closed.

    It gets SIGTERM, and SIGKILL after ``grace_s`` seconds; a group that it leads is killed too.
    """

    def watch() -> None:
        with contextlib.suppress(OSError):
            os.read(fd, 1)
        log.error(log_line)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace_s)
        if os.getpgrp() == os.getpid():
            os.killpg(os.getpid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
