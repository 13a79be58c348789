"""Whole messages that wait on the event loop; one thread takes all that wait and stores them as one batch.

The thread answers a batch with one call into the event loop. The event loop answers 503 by a timer of each
request, because the thread may hang with Redis. A message that is stored after its 503 is a duplicate when it
is sent again; one that the thread has not taken by then is dropped.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from processor.errors import StoreUnavailable
from processor.web.message_receiver import MessageReceiver, MessageRequest, MessageResponse, problem_response

_log = logging.getLogger(__name__)

MAX_BATCH = 64
MAX_BATCH_BYTES = 1_048_576
"""Bounds of a batch: so many messages, or the message with which its bodies exceed so many bytes."""


@dataclass(slots=True)
class _Waiting:
    """A request and the future of its response; the request is dropped when it was answered 503."""

    request: MessageRequest | None
    response: "asyncio.Future[MessageResponse]"

    def expire(self) -> None:
        """Answer 503, and free the body."""
        self.request = None
        if not self.response.done():
            self.response.set_exception(StoreUnavailable("The request could not be answered in time."))


class MessageQueue:
    """Passes requests to ``receiver`` in batches; each is answered within ``answer_within_s``."""

    def __init__(self, receiver: MessageReceiver, *, answer_within_s: float) -> None:
        self._receiver = receiver
        self._answer_within_s = answer_within_s
        self._waiting: SimpleQueue[_Waiting] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._waker = ThreadPoolExecutor(1, thread_name_prefix="waker")

    async def respond(self, request: MessageRequest) -> MessageResponse:
        """The response to one request. Raises ``StoreUnavailable`` if there is none in time."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="messages", daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        waiting = _Waiting(request, loop.create_future())
        timer = loop.call_later(self._answer_within_s, waiting.expire)
        self._waiting.put(waiting)
        try:
            return await waiting.response
        finally:
            timer.cancel()
            waiting.request = None

    def _run(self) -> None:
        while True:
            batch = self._take()
            if not batch:
                continue
            responses, asleep = self._receive([request for _, request in batch])
            answered = [
                (waiting.response, response) for (waiting, _), response in zip(batch, responses, strict=True)
            ]
            with contextlib.suppress(RuntimeError):  # the event loop has ended
                answered[0][0].get_loop().call_soon_threadsafe(_settle, answered)
            if asleep:  # in a thread of its own: the server of RQ may hang
                self._waker.submit(self._receiver.wake, asleep)
            del batch, answered  # the next request may be long in coming

    def _receive(self, requests: Sequence[MessageRequest]) -> tuple[list[MessageResponse], set[int]]:
        """The same as ``receive``; a bug in it must not end the thread."""
        try:
            return self._receiver.receive(requests)
        except Exception:
            _log.exception("messages could not be kept because of an internal error")
            return [problem_response(StoreUnavailable())] * len(requests), set()

    def _take(self) -> list[tuple[_Waiting, MessageRequest]]:
        """Wait for a request and take all that wait with it, within the bounds of a batch."""
        batch: list[tuple[_Waiting, MessageRequest]] = []
        size = 0
        with contextlib.suppress(Empty):
            waiting = self._waiting.get()
            while True:
                request = waiting.request
                if request is not None:
                    batch.append((waiting, request))
                    size += len(request.body)
                if len(batch) == MAX_BATCH or size > MAX_BATCH_BYTES:
                    break
                waiting = self._waiting.get_nowait()
        return batch


def _settle(answered: Iterable[tuple["asyncio.Future[MessageResponse]", MessageResponse]]) -> None:
    """Answer the requests of a batch that are not answered yet; runs on the event loop."""
    for future, response in answered:
        if not future.done():
            future.set_result(response)
