"""Machines whose clock is off: a process compares its own with that of Redis or of Codat."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from redis import Redis
from redis.client import Pipeline

from processor.store import keys

WARNING_S = 30
ERROR_S = 240
"""Signatures are refused where clocks differ by more than 300 s."""

KEPT = timedelta(minutes=10)
"""How long a machine is remembered of which nobody writes any more."""

REDIS = "Redis"
CODAT = "Codat"
HOST = socket.gethostname()


@dataclass(frozen=True, slots=True)
class Skew:
    """How far the clock of ``host`` is ahead of that of ``reference``, in seconds; behind: negative."""

    host: str
    reference: str
    off_s: int


def add(pipe: "Pipeline[Any]", reference: str, off_s: float, host: str = HOST) -> None:
    """Write down in a pipeline how far this machine's clock is off; forget it where it is right."""
    name, member = keys.clocks(), f"{reference} {host}"
    if abs(off_s) < WARNING_S:
        pipe.hdel(name, member)
        return
    pipe.hset(name, member, round(off_s))
    pipe.expire(name, KEPT)


def parse(row: Mapping[bytes, bytes]) -> list[Skew]:
    """The machines whose clock is off, from the hash as Redis has it."""
    found = []
    for member, off_s in sorted(row.items()):
        reference, _, host = member.decode("utf-8", "replace").partition(" ")
        found.append(Skew(host, reference, int(off_s)))
    return found


def off_s(began: float, ended: float, reference: float) -> float:
    """How far a clock is ahead of the ``reference`` that was read between ``began`` and ``ended`` by it."""
    return max(began - reference, 0.0) or min(ended - reference, 0.0)


def compare(client: "Redis[Any]", began: float, ended: float, redis_time: float) -> None:
    """Compare this machine's clock, read before and after Redis was asked for its time; seconds since 1970.

    Writes where it is off; an entry goes by itself. Raises ``redis.RedisError``.
    """
    ahead_s = off_s(began, ended, redis_time)
    if abs(ahead_s) >= WARNING_S:
        with client.pipeline(transaction=False) as pipe:
            add(pipe, REDIS, ahead_s)
            pipe.execute()
