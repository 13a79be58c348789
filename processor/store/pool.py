"""A bounded pool of connections that waits for a free one, prefers healthy ones, and closes idle ones.

Redis plans allow few connections. A process never opens more than its share (``connection_limits``); what
it did not use for a while is closed. A connection that Redis refused goes behind those that work, and as long
as one of ours works a refusal is waited out. A connection whose server says that it is no primary any more is
dropped with all idle ones: behind the same name another server may answer by now.
"""

import threading
import time
import weakref
from queue import LifoQueue
from typing import Any

from redis import BlockingConnectionPool, Connection, RedisError, ResponseError, SSLConnection
from redis import ConnectionError as RedisConnectionError
from redis.connection import UnixDomainSocketConnection

IDLE_S = 30.0
"""A connection that was not used for so long is closed, in seconds."""

AGAIN_S = 0.01
"""How long to wait for a working connection before the next look, in seconds."""

MOVED = ("READONLY", "MASTERDOWN", "UNBLOCKED", "LOADING")
"""The first words of servers that cannot serve now, while another may under the same name."""


class _Watched:
    """A connection that remembers whether its server should be left, and when it was used last."""

    left = False
    used_at = 0.0
    _sock: Any

    @property
    def works(self) -> bool:
        """Whether it is connected, as far as is known."""
        return self._sock is not None

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        """The same; takes note of what says that this server does not serve writes."""
        try:
            return super().read_response(*args, **kwargs)  # type: ignore[misc]
        except ResponseError as error:
            self.left = self.left or says_moved(error)
            raise


class _TcpConnection(_Watched, Connection):
    pass


class _TlsConnection(_Watched, SSLConnection):
    pass


class _UnixConnection(_Watched, UnixDomainSocketConnection):
    pass


CONNECTIONS: dict[str, type] = {"redis": _TcpConnection, "rediss": _TlsConnection, "unix": _UnixConnection}
"""The class of a connection by the scheme of its URL."""


def says_moved(error: RedisError) -> bool:
    """Whether a refusal means that another server may be the primary by now.

    A script of Redis 6 wraps the word that it met.
    """
    text = str(error)
    status = getattr(error, "status_code", None) or text.partition(" ")[0]
    return status in MOVED or any(f"-{word} " in text for word in MOVED)


class _WorkingFirst(LifoQueue):  # type: ignore[type-arg]
    """Hands out the connection that was used last, and those that are closed only when no other is free."""

    queue: list[Any]

    def _put(self, item: Any) -> None:
        if item is not None and item.works:
            self.queue.append(item)
        else:
            self.queue.insert(0, item)


class Pool(BlockingConnectionPool):
    """See the module. ``timeout`` is how long a caller waits for a connection, in seconds."""

    _connections: list[Any]

    def __init__(self, **options: Any) -> None:
        super().__init__(queue_class=_WorkingFirst, **options)

    def get_connection(self, *_args: Any, **_options: Any) -> Any:
        """A connection that works. Raises ``redis.ConnectionError`` where there is none in time."""
        until = time.monotonic() + float(self.timeout or 0)
        while True:
            try:
                return super().get_connection()  # type: ignore[call-arg]
            except RedisConnectionError:
                if time.monotonic() >= until or not self._any_works():
                    raise
            time.sleep(AGAIN_S)

    def release(self, connection: Any) -> None:
        """Take a connection back; one whose server should be left is closed, and the idle ones with it."""
        connection.used_at = time.monotonic()
        left, connection.left = connection.left, False
        if left:
            connection.disconnect()
        super().release(connection)
        if left:
            self.close_idle(0)

    def close_idle(self, idle_s: float = IDLE_S) -> None:
        """Close the connections that were not used for ``idle_s``."""
        before = time.monotonic() - idle_s
        with self.pool.mutex:  # nobody is handed one meanwhile
            waiting = self.pool.queue
            for connection in waiting:
                if connection is not None and connection.used_at <= before:
                    connection.disconnect()
            waiting.sort(key=lambda one: one is not None and one.works)

    def close_idle_always(self) -> None:
        """Close idle connections from time to time, in a thread that ends with the pool."""
        threading.Thread(target=_close_idle, args=(weakref.ref(self),), name="idle", daemon=True).start()

    def _any_works(self) -> bool:
        return any(connection.works for connection in self._connections.copy())


def _close_idle(pool: "weakref.ref[Pool]") -> None:
    while (alive := pool()) is not None:
        alive.close_idle()
        del alive
        time.sleep(IDLE_S / 3)
