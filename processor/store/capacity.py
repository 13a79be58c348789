"""How many messages and connections the memory of Redis still holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from redis import Redis, ResponseError

from processor.clock import to_ms
from processor.store import each_cell, keys
from processor.store.cluster import ClusterClient

MESSAGE_BYTES = 520
"""A kept message of 500 bytes with its indexes; guarded by a test."""

CONNECTION_BYTES = 2_100
"""A connection with its company, first message and notification; guarded by a test."""

RATE_OVER = timedelta(days=7)
"""The messages of this time say how many come in a day."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What fits into ``free_bytes`` of ``limit_bytes``: ``maxmemory``, or the memory of the machine.

    ``messages_per_day`` is 0 where no message came lately.
    """

    limit_bytes: int
    free_bytes: int
    messages_per_day: float

    @property
    def days(self) -> int | None:
        """So many more days of messages; ``None`` where none came lately."""
        if not self.messages_per_day:
            return None
        return int(self.free_bytes / MESSAGE_BYTES / self.messages_per_day)

    @property
    def connections(self) -> int:
        """So many more connections, instead of the messages."""
        return self.free_bytes // CONNECTION_BYTES

    def __str__(self) -> str:
        """A sentence about what still fits."""
        if self.days is None:
            messages = f"about {self.free_bytes // MESSAGE_BYTES:,} more messages"
        else:
            messages = f"about {self.days:,} more days of messages as they come now"
        limit = f"{self.limit_bytes / 1024 / 1024:,.0f} MiB"
        return f"The memory ({limit}) holds {messages}, or {self.connections:,} more connections."


def read(client: "Redis[Any]", now: datetime) -> Capacity | None:
    """The capacity of the store; ``None`` where a server does not show its memory.

    In a cluster it is as if every primary were as full as the fullest. Raises ``redis.RedisError``.
    """
    servers = client.primaries() if isinstance(client, ClusterClient) else [client]
    try:
        memories = [_memory(server.info("memory")) for server in servers]
    except ResponseError:  # not for this user
        return None
    limit = len(servers) * min(limit for limit, _ in memories)
    if not limit:
        return None
    since = to_ms(now - RATE_OVER)
    counts = each_cell.replies(client, lambda pipe, cell: pipe.zcount(keys.events(cell), since, "+inf"))
    oldest = each_cell.replies(
        client, lambda pipe, cell: pipe.zrange(keys.events(cell), 0, 0, withscores=True)
    )
    began = min((score for rows in oldest for _, score in rows), default=since)
    days = max(1.0, (to_ms(now) - max(since, began)) / 86_400_000)
    free = len(servers) * min(free for _, free in memories)
    return Capacity(limit, free, sum(counts) / days)


def _memory(reply: Any) -> tuple[int, int]:
    """The limit of a server, 0 if it shows none, and what is free of it."""
    info: Mapping[str, Any] = reply if isinstance(reply, dict) else {}
    limit = int(info.get("maxmemory") or info.get("total_system_memory") or 0)
    return limit, max(0, limit - int(info.get("used_memory") or 0))
