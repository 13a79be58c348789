"""A memory budget for the request bodies of one process.

Bodies are read before their senders are authenticated. Beyond the budget the largest unfinished body is
evicted, so that strangers with large bodies do not keep out a small message. Runs on the event loop only.
"""

import asyncio
import contextlib
from collections.abc import Iterator

from processor.errors import StoreUnavailable

BUDGET_BYTES = 64 * 1024 * 1024
"""Maximum sum of the bodies in one process."""


class IncompleteBody(StoreUnavailable):
    """The body broke off or exceeded its time limit."""

    code = "body_incomplete"
    title = "The request is incomplete"
    sentence = "The request did not arrive whole; send it again."


class BodyEvicted(StoreUnavailable):
    """The body was evicted to keep all bodies within their budget."""

    code = "too_many_bodies"
    title = "Too many unfinished requests"
    sentence = "Too many unfinished requests; send it again later."


class RequestBody:
    """A body that is being received; ``limit`` ends the reading with ``TimeoutError``."""

    def __init__(self, budget: "BodyBudget") -> None:
        self._budget = budget
        self._octets = bytearray()
        self.size = 0
        self.limit: asyncio.Timeout | None = None
        self.is_evicted = False

    def add(self, chunk: bytes) -> None:
        """Append a part, which may evict a body; raises ``TimeoutError`` when this one is evicted."""
        self._octets += chunk
        self.reserve(len(chunk))

    def reserve(self, size: int) -> None:
        """Count ``size`` bytes before they arrive; the same as ``add`` otherwise."""
        self.size += size
        self._budget.count(self, size)
        if self.is_evicted:
            raise TimeoutError

    def fill(self, octets: bytes) -> None:
        """Append bytes that were reserved."""
        self._octets += octets

    def take(self) -> bytes:
        """Finish the body and return it; it counts until its context ends, and cannot be evicted any more."""
        self._budget.finish(self)
        octets = bytes(self._octets)
        self._octets.clear()
        return octets

    def evict(self) -> None:
        """Stop the reading and free the memory."""
        self.is_evicted = True
        self._octets.clear()
        if self.limit is not None:
            self.limit.reschedule(asyncio.get_running_loop().time())


class BodyBudget:
    """The bodies of a process, at most ``max_bytes`` together."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
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
        """Note that a body grew by ``size`` bytes; evicts the largest unfinished bodies beyond the budget."""
        self._unfinished.add(body)
        self._used_bytes += size
        while self._used_bytes > self._max_bytes and self._unfinished:
            largest = max(self._unfinished, key=lambda unfinished: unfinished.size)
            self._release(largest)
            largest.evict()

    def finish(self, body: RequestBody) -> None:
        """Note that a body is complete."""
        self._unfinished.discard(body)

    def _release(self, body: RequestBody) -> None:
        self._unfinished.discard(body)
        self._used_bytes -= body.size
        body.size = 0
