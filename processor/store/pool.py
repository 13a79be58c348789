"""A bounded pool that waits for a free connection, prefers healthy connections, and closes idle ones.

Redis plans allow few connections, so a process never opens more than its share (``connection_limits``).
A refused connection is used after the working ones; while any connection works, a refusal is retried. A
connection whose server is no longer the primary is closed together with all idle ones, because another
server may now answer under the same name.
"""

import ssl
import time
from queue import LifoQueue
from typing import Any

from redis import BlockingConnectionPool, Connection, RedisError, ResponseError, SSLConnection
from redis import ConnectionError as RedisConnectionError
from redis.connection import UnixDomainSocketConnection

from processor.settings.redis_address import RedisAddress

IDLE_S = 30.0
"""A connection is closed after this idle time."""

RETRY_S = 0.01
"""Pause before the next attempt to get a working connection."""

MOVED = ("READONLY", "MASTERDOWN", "UNBLOCKED", "LOADING")
"""First words of errors after which another server may answer under the same name."""


class _PooledConnection:
    """A connection that knows whether its server has moved, and when it was last used."""

    server_moved = False
    used_at = 0.0
    _sock: Any

    @property
    def works(self) -> bool:
        """Whether the socket is open, as far as is known."""
        return self._sock is not None

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        """Read a response and note an error that says that this server does not accept writes."""
        try:
            return super().read_response(*args, **kwargs)  # type: ignore[misc]
        except ResponseError as error:
            self.server_moved = self.server_moved or says_moved(error)
            raise


class TcpConnection(_PooledConnection, Connection):
    pass


class TlsConnection(_PooledConnection, SSLConnection):
    pass


class UnixConnection(_PooledConnection, UnixDomainSocketConnection):
    pass


CONNECTIONS: dict[str, type] = {"redis": TcpConnection, "rediss": TlsConnection, "unix": UnixConnection}
"""Connection class by URL scheme."""


def tls_options(address: RedisAddress, *, verify_tls: bool) -> dict[str, Any]:
    """Options of a connection that accept any certificate, unless ``verify_tls``; none without TLS."""
    if not address.tls or verify_tls:
        return {}
    return {"ssl_cert_reqs": ssl.CERT_NONE, "ssl_check_hostname": False}


def says_moved(error: RedisError) -> bool:
    """Whether an error means that another server may be the primary.

    Redis 6 wraps the error of a command inside a script.
    """
    message = str(error)
    status = getattr(error, "status_code", None) or message.partition(" ")[0]
    return status in MOVED or any(f"-{word} " in message for word in MOVED)


class _LastUsedFirst(LifoQueue):  # type: ignore[type-arg]
    """Returns the most recently used connection first, and closed ones last."""

    queue: list[Any]

    def _put(self, connection: Any) -> None:
        if connection is not None and connection.works:
            self.queue.append(connection)
        else:
            self.queue.insert(0, connection)


class Pool(BlockingConnectionPool):
    """See the module docstring. ``timeout`` is how long a caller waits for a connection, in seconds."""

    _connections: list[Any]

    def __init__(self, **options: Any) -> None:
        super().__init__(queue_class=_LastUsedFirst, **options)
        self._peak = 0

    def get_connection(self, *_args: Any, **_options: Any) -> Any:
        """A connection; raises ``redis.ConnectionError`` if none is free or works in time."""
        until = time.monotonic() + float(self.timeout or 0)
        while True:
            try:
                connection = super().get_connection()  # type: ignore[call-arg]
                self._peak = max(self._peak, self.max_connections - self.pool.qsize())
                return connection
            except RedisConnectionError:
                if time.monotonic() >= until or not self._any_works():
                    raise
            time.sleep(RETRY_S)

    def take_peak(self) -> float:
        """The largest share of the connections that was in use at once since the last call."""
        peak, self._peak = self._peak, 0
        return peak / self.max_connections

    def release(self, connection: Any) -> None:
        """Take a connection back; close it and the idle ones if its server has moved."""
        connection.used_at = time.monotonic()
        server_moved, connection.server_moved = connection.server_moved, False
        if server_moved:
            connection.disconnect()
        super().release(connection)
        if server_moved:
            self.close_idle(0)

    def close_idle(self, idle_s: float = IDLE_S) -> None:
        """Close connections that were idle for ``idle_s``."""
        before = time.monotonic() - idle_s
        with self.pool.mutex:  # no connection is taken meanwhile
            free = self.pool.queue
            for connection in free:
                if connection is not None and connection.used_at <= before:
                    connection.disconnect()
            free.sort(key=lambda connection: connection is not None and connection.works)

    def _any_works(self) -> bool:
        return any(connection.works for connection in self._connections.copy())
