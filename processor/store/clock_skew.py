"""Clock skew: each process compares its clock with that of Redis and of Codat."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from redis import Redis
from redis.client import Pipeline

from processor.store import keys
from processor.store.decoding import text_fields

WARNING_S = 30
ERROR_S = 240
"""Signatures are refused if clocks differ by more than 300 s."""

RETENTION = timedelta(minutes=10)
"""An entry without an update expires after this time."""

REDIS = "Redis"
CODAT = "Codat"
HOST = socket.gethostname()


@dataclass(frozen=True, slots=True)
class Skew:
    """Seconds by which the clock of ``host`` is ahead of ``reference``; negative if it is behind."""

    host: str
    reference: str
    off_s: int


def add(pipe: "Pipeline[Any]", reference: str, off_s: float, host: str = HOST) -> None:
    """Stage the skew of this machine's clock, or the removal of its entry if the clock is right."""
    name, member = keys.clocks(), f"{reference} {host}"
    if abs(off_s) < WARNING_S:
        pipe.hdel(name, member)
        return
    pipe.hset(name, member, round(off_s))
    pipe.expire(name, RETENTION)


def parse(row: Mapping[bytes, bytes]) -> list[Skew]:
    """Parse the hash of machines whose clock is off."""
    skews = []
    for member, off_s in sorted(text_fields(row).items()):
        reference, _, host = member.partition(" ")
        skews.append(Skew(host, reference, int(off_s)))
    return skews


def off_s(began: float, ended: float, reference: float) -> float:
    """Seconds by which a clock is ahead of ``reference``, read between its ``began`` and ``ended``."""
    return max(began - reference, 0.0) or min(ended - reference, 0.0)


def compare(client: "Redis[Any]", began: float, ended: float, redis_time: float) -> None:
    """Record this machine's clock if it is off. Raises ``redis.RedisError``.

    ``began`` and ``ended`` are its readings (Unix time, s) before and after ``redis_time`` was read.
    """
    ahead_s = off_s(began, ended, redis_time)
    if abs(ahead_s) >= WARNING_S:
        with client.pipeline(transaction=False) as pipe:
            add(pipe, REDIS, ahead_s)
            pipe.execute()
