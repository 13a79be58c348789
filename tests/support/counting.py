"""Redis clients that count what they cost, or let something else happen in the middle of it."""

import math
from collections.abc import Callable
from typing import Any

from redis import Connection, ConnectionError, ConnectionPool, Redis, UnixDomainSocketConnection
from redis.backoff import NoBackoff
from redis.retry import Retry


class RoundTrips:
    """How often something was sent and waited for, by the clients made from here."""

    def __init__(self) -> None:
        self.count = 0
        self.sent: list[bytes] = []
        """What was sent, each as it went over the wire."""

    def client(self, url: str) -> "Redis[Any]":
        """A client for ``url`` that is connected already."""
        trips = self
        base = UnixDomainSocketConnection if url.startswith("unix") else Connection

        class Counted(base):  # type: ignore[misc, valid-type]
            def send_packed_command(self, command: Any, check_health: bool = True) -> None:
                trips.count += 1
                trips.sent.append(command if isinstance(command, bytes) else b"".join(command))
                super().send_packed_command(command, check_health=check_health)

        client: Redis[Any] = Redis(  # type: ignore[call-overload]
            connection_pool=ConnectionPool.from_url(url, connection_class=Counted), protocol=2
        )
        client.ping()
        self.reset()
        return client

    def reset(self) -> None:
        """Begin to count again."""
        self.count = 0
        self.sent.clear()


def breaking(url: str, *, after: int) -> "Redis[Any]":
    """A client that sends so many times and is cut off then: as a process that is killed in the middle."""
    base = UnixDomainSocketConnection if url.startswith("unix") else Connection
    left = [math.inf]

    class Breaking(base):  # type: ignore[misc, valid-type]
        def send_packed_command(self, command: Any, check_health: bool = True) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise ConnectionError("cut off")
            super().send_packed_command(command, check_health=check_health)

    client: Redis[Any] = Redis(
        connection_pool=ConnectionPool.from_url(
            url, connection_class=Breaking, retry=Retry(NoBackoff(), 0), protocol=2
        )
    )
    client.ping()
    left[0] = after
    return client


class Interrupted(Redis):
    """A client that lets something happen once, right after it has read connections."""

    meanwhile: Callable[[], object] | None = None

    def mget(self, *args: Any, **kwargs: Any) -> Any:
        """The values, as they were before ``meanwhile``."""
        result = super().mget(*args, **kwargs)
        self._interrupt()
        return result

    def pipeline(self, *args: Any, **kwargs: Any) -> Any:
        """A pipeline; its replies are as they were before ``meanwhile``, if it reads connections."""
        pipe = super().pipeline(*args, **kwargs)
        execute = pipe.execute

        def execute_and_interrupt(*args: Any, **kwargs: Any) -> Any:
            reads = any(
                ":connection:" in str(command) and "MGET" in command for command, _ in pipe.command_stack
            )
            result = execute(*args, **kwargs)
            if reads:
                self._interrupt()
            return result

        pipe.execute = execute_and_interrupt
        return pipe

    def _interrupt(self) -> None:
        happen, self.meanwhile = self.meanwhile, None
        if happen is not None:
            happen()


def commands(client: "Redis[Any]") -> dict[str, int]:
    """How often each command was called on this engine so far."""
    stats = client.info("commandstats")
    return {name.removeprefix("cmdstat_"): item["calls"] for name, item in stats.items()}


def everything(client: "Redis[Any]") -> dict[str, bytes]:
    """All keys of the engine with their contents, to compare; without times to live, and without metrics."""
    names = sorted(key for key in client.scan_iter(count=1000) if b":{metrics}:" not in key)
    return {key.decode(): client.dump(key) or b"" for key in names}
