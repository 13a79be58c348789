"""Locks on files (``flock``): the kernel releases them when their last holder dies, however it dies.

Whoever inherits the open file holds the lock with whoever opened it.
"""

import fcntl
import time
from typing import IO

POLL_S = 0.02


def try_lock(file: IO[bytes], *, shared: bool = False) -> bool:
    """Lock the file, alone or with others; false if another holder forbids it now."""
    how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock_within(file: IO[bytes], limit_s: float) -> bool:
    """Lock the file alone, waiting up to ``limit_s`` seconds; false if that was not enough."""
    deadline = time.monotonic() + limit_s
    while not try_lock(file):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def unlock(file: IO[bytes]) -> None:
    """Give the lock back."""
    fcntl.flock(file, fcntl.LOCK_UN)
