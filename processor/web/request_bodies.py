"""Memory for the bodies of requests: bounded in sum, whoever sends them.

Bodies are read before anybody knows who sends them. All that a process holds at a time stays within a
budget; beyond it the largest unfinished one is given up, so that many strangers with large bodies do not keep
a small message out. Everything here runs on the event loop.
"""

import asyncio
import contextlib
from collections.abc import Iterator

from processor.errors import StoreUnavailable

BUDGET_BYTES = 64 * 1024 * 1024
"""What the bodies in one process may take up together."""


class IncompleteBody(StoreUnavailable):
    """The body broke off, or did not come in time."""

    code = "body_incomplete"
    title = "The request is incomplete"
    sentence = "The request did not arrive whole; send it again."


class CrowdedOut(StoreUnavailable):
    """The body was given up to keep all bodies within their budget."""

    code = "too_many_bodies"
    title = "Too many unfinished requests"
    sentence = "Too many unfinished requests; send it again later."


class RequestBody:
    """A body that is being received; ``limit`` ends its reading, with ``TimeoutError``."""

    def __init__(self, budget: "BodyBudget") -> None:
        self._budget = budget
        self._octets = bytearray()
        self.size = 0
        self.limit: asyncio.Timeout | None = None
        self.is_evicted = False

    def add(self, chunk: bytes) -> None:
        """Keep a part, if need be at the expense of another; ``TimeoutError`` where this one is given up."""
        self._octets += chunk
        self.size += len(chunk)
        self._budget.count(self, len(chunk))
        if self.is_evicted:
            raise TimeoutError

    def take(self) -> bytes:
        """The whole body, which is finished: it counts until it is answered, and is not given up any more."""
        self._budget.finish(self)
        octets = bytes(self._octets)
        self._octets.clear()
        return octets

    def evict(self) -> None:
        """Give up the reading and free what was read."""
        self.is_evicted = True
        self._octets.clear()
        if self.limit is not None:
            self.limit.reschedule(asyncio.get_running_loop().time())


class BodyBudget:
    """The bodies of a process, at most ``most_bytes`` together."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._unfinished: set[RequestBody] = set()
        self._used_bytes = 0

    @contextlib.contextmanager
    def body(self) -> Iterator[RequestBody]:
        """A new body, which counts until the context ends."""
        body = RequestBody(self)
        try:
            yield body
        finally:
            self._release(body)

    def count(self, body: RequestBody, size: int) -> None:
        """Note that a body grew by ``size`` bytes; gives up the largest unfinished ones beyond the budget."""
        self._unfinished.add(body)
        self._used_bytes += size
        while self._used_bytes > self._most_bytes and self._unfinished:
            largest = max(self._unfinished, key=lambda one: one.size)
            self._release(largest)
            largest.evict()

    def finish(self, body: RequestBody) -> None:
        """Note that a body has come whole."""
        self._unfinished.discard(body)

    def _release(self, body: RequestBody) -> None:
        self._unfinished.discard(body)
        self._used_bytes -= body.size
        body.size = 0
