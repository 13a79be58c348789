"""Ends a child process when its parent is gone: the parent holds the other end of a pipe."""

import contextlib
import logging
import os
import signal
import threading
import time

log = logging.getLogger(__name__)

PARENT_FD = "CODAT_PROCESSOR_PARENT_FD"
"""The environment variable with the number of the pipe that ends with the supervisor."""


def watch_parent(grace_s: float = 8.5) -> None:
    """End this process when its supervisor is gone: SIGTERM, and SIGKILL after ``grace_s`` seconds.

    Does nothing in a process without a supervisor. Call it once, before starting processes.
    """
    number = os.environ.pop(PARENT_FD, None)
    if number is None:
        return
    fd = int(number)
    try:
        os.set_inheritable(fd, False)
    except OSError:
        return
    end_with_writer(fd, "Supervisor is gone: ending", grace_s)


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
