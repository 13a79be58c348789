"""Connections to the primary of a service that Sentinels watch: each new one asks them where it is now."""

from collections.abc import Callable
from typing import Any

from redis import ConnectionError as RedisConnectionError
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel

from processor.settings.redis_address import RedisAddress
from processor.store.pool import TcpConnection, TlsConnection, tls_options

SENTINEL_TIMEOUT_S = 0.2
"""Time limit of one Sentinel: with the next one, a web process still answers within a second."""

Locate = Callable[[], tuple[str, int]]
"""Returns host and port of the present primary. Raises ``redis.ConnectionError`` if no Sentinel knows it."""


class PrimaryUnknown(RedisConnectionError):
    """No Sentinel that answers names a primary that is up."""


class _ToPrimary:
    """A connection that asks where the primary is each time it is opened.

    What it then finds to be a replica is closed like after any other failover (see ``pool``).
    """

    host: str
    port: int

    def __init__(self, *, locate: Locate, **options: Any) -> None:
        self._locate = locate
        super().__init__(**options)

    def _connect(self) -> Any:
        self.host, self.port = self._locate()
        return super()._connect()  # type: ignore[misc]


class _TcpToPrimary(_ToPrimary, TcpConnection):
    pass


class _TlsToPrimary(_ToPrimary, TlsConnection):
    pass


def sentinels_of(address: RedisAddress, *, verify_tls: bool) -> Sentinel:
    """The client of the Sentinels of ``address``; nothing is sent yet."""
    return Sentinel(
        address.nodes,
        sentinel_kwargs={
            "username": address.sentinel_username,
            "password": address.sentinel_password,
            "socket_timeout": SENTINEL_TIMEOUT_S,
            "socket_connect_timeout": SENTINEL_TIMEOUT_S,
            "retry": Retry(NoBackoff(), 0),
            **({"ssl": True, **tls_options(address, verify_tls=verify_tls)} if address.tls else {}),
        },
    )


def connection_options(address: RedisAddress, *, verify_tls: bool) -> dict[str, Any]:
    """The options of a pool whose connections lead to the primary of ``address``."""
    sentinels = sentinels_of(address, verify_tls=verify_tls)

    def locate() -> tuple[str, int]:
        try:
            host, port = sentinels.discover_master(address.service)
        except MasterNotFoundError:
            raise PrimaryUnknown("no Sentinel names a primary that is up") from None
        return str(host), int(port)

    return {
        "connection_class": _TlsToPrimary if address.tls else _TcpToPrimary,
        "locate": locate,
        "db": address.database,
    }
