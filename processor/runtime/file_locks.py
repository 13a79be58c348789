"""Locks on files (``flock``), which the kernel releases when their last holder ends.

A process that inherits the open file shares the lock.
"""

import fcntl
import time
from typing import IO

POLL_S = 0.02


def try_lock(file: IO[bytes], *, shared: bool = False) -> bool:
    """Lock the file exclusively or shared; false if another holder prevents that."""
    mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(file, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock_within(file: IO[bytes], limit_s: float) -> bool:
    """Lock the file exclusively within ``limit_s`` seconds; false after that."""
    deadline = time.monotonic() + limit_s
    while not try_lock(file):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def unlock(file: IO[bytes]) -> None:
    fcntl.flock(file, fcntl.LOCK_UN)
