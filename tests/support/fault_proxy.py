"""A TCP proxy that disturbs what passes: a name behind which the server changes, delays, cuts, silence.

It stands between the product and an engine, Codat, a mail server or a subscriber, all of this machine.
"""

import asyncio
import contextlib
import math
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

from tests.support.ports import HOST

_CHUNK = 65_536


class FaultProxy:
    """Passes connections on to ``target``, a port of this machine; those that exist stay where they are.

    ``delay_s`` is added each way; ``bytes_per_s`` is the rate of each direction of a connection.
    """

    def __init__(self, target: int, *, delay_s: float = 0.0, bytes_per_s: float = math.inf) -> None:
        self.target = target
        self.delay_s = delay_s
        self.bytes_per_s = bytes_per_s
        self.resets = 0
        """How often it reset its connections in the middle of an answer."""
        self.answered = 0
        """Bytes of answers that passed."""

        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._passing = asyncio.Event()
        self._passing.set()
        self._refuses = False
        self._left: float = math.inf
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._connected, HOST, 0))
        self.port = int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        """The name, as that of an engine."""
        return f"redis://{HOST}:{self.port}/0"

    @property
    def open_connections(self) -> int:
        """Connections that pass through it."""
        return len(self._writers) // 2

    def hold(self) -> None:
        """Nothing passes any more, and nobody is told: a half-open connection."""
        self._call(self._set(passing=False))

    def cut(self) -> None:
        """All connections are reset, and new ones too."""
        self._call(self._set(refuses=True))

    def heal(self) -> None:
        """Everything passes again."""
        self._call(self._set())

    def reset_after(self, answered: float) -> None:
        """Reset all connections once, after so many further bytes of answers passed; new ones are taken."""
        self._call(self._set(left=answered))

    def close(self) -> None:
        """End it with all its connections."""
        self._call(self._closed())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _set(self, *, passing: bool = True, refuses: bool = False, left: float = math.inf) -> None:
        self._refuses, self._left = refuses, left
        if passing:
            self._passing.set()
        else:
            self._passing.clear()
        if refuses:
            self._reset()

    def _reset(self) -> None:
        for writer in self._writers:
            line = writer.get_extra_info("socket")
            if line.fileno() < 0:  # closed already
                continue
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _closed(self) -> None:
        self._server.close()
        self._passing.set()
        self._reset()
        await asyncio.gather(*self._tasks)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.ExitStack() as stack:
            self._keep(stack, writer)
            if self._refuses:
                return
            try:
                there, back = await asyncio.open_connection(HOST, self.target)
                self._keep(stack, back)
                async with asyncio.TaskGroup() as pumps:
                    pumps.create_task(self._pump(reader, back))
                    pumps.create_task(self._pump(there, writer, answers=True))
            except* OSError:
                pass  # a connection ended, and with it the other; callers see what they see

    def _keep(self, stack: contextlib.ExitStack, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        stack.callback(self._writers.discard, writer)
        stack.callback(writer.transport.abort)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        stack.callback(self._tasks.discard, task)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        """Pass on what ``source`` sends, as late as it is wanted, and its end."""
        due: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        writing = asyncio.create_task(self._write(due, sink, answers=answers))
        try:
            while data := await source.read(_CHUNK):
                due.put_nowait((self._loop.time() + self.delay_s, data))
            due.put_nowait((self._loop.time() + self.delay_s, b""))
            await writing
        finally:
            writing.cancel()

    async def _write(
        self, due: "asyncio.Queue[tuple[float, bytes]]", sink: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        while True:
            at, data = await due.get()
            await asyncio.sleep(max(0.0, at - self._loop.time()))
            await self._passing.wait()
            if not data:
                sink.write_eof()
                return
            if answers and len(data) >= self._left:
                data = data[: int(self._left)]
                self._left = math.inf
                self.resets += 1
                self.answered += len(data)
                sink.write(data)
                self._reset()
                return
            self._left -= len(data) * answers
            self.answered += len(data) * answers
            step = len(data) if math.isinf(self.bytes_per_s) else max(1, int(self.bytes_per_s / 50))
            for at in range(0, len(data), step):
                piece = data[at : at + step]
                sink.write(piece)
                await sink.drain()
                await asyncio.sleep(len(piece) / self.bytes_per_s)


@contextlib.contextmanager
def fault_proxy(target: int, *, delay_s: float = 0.0) -> Iterator[FaultProxy]:
    """A proxy before the server on the port ``target``."""
    made = FaultProxy(target, delay_s=delay_s)
    try:
        yield made
    finally:
        made.close()
