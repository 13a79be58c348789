"""When Redis was away lately: what a clock saw of it, written down once Redis is back."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from processor.clock import from_ms, to_ms
from processor.store import keys

KEPT = timedelta(days=7)
MOST = 20
"""So many are kept, the newest."""


@dataclass(frozen=True, slots=True)
class Outage:
    """From when until when Redis did not answer, or (``refused``) answered with nothing but refusals."""

    began_at: datetime
    ended_at: datetime
    refused: bool


def record(client: "Redis[Any]", seen: Outage) -> None:
    """Keep an interruption that is over. Raises ``redis.RedisError``."""
    began_ms, ended_ms = to_ms(seen.began_at), to_ms(seen.ended_at)
    name = keys.interruptions()
    with client.pipeline(transaction=True) as pipe:
        pipe.zadd(name, {f"{began_ms} {ended_ms} {int(seen.refused)}": ended_ms})
        pipe.zremrangebyscore(name, "-inf", to_ms(seen.ended_at - KEPT))
        pipe.zremrangebyrank(name, 0, -MOST - 1)
        pipe.expire(name, KEPT)
        pipe.execute()


def recent(client: "Redis[Any]", now: datetime) -> list[Outage]:
    """Those of the last days, the newest first; what several clocks saw of one is one.

    Raises ``redis.RedisError``.
    """
    found: list[Outage] = []
    for member in client.zrangebyscore(keys.interruptions(), to_ms(now - KEPT), "+inf"):
        began_ms, ended_ms, refused = member.decode().split(" ")
        one = Outage(from_ms(int(began_ms)), from_ms(int(ended_ms)), refused == "1")
        while found and found[-1].ended_at >= one.began_at:
            before = found.pop()
            one = Outage(min(before.began_at, one.began_at), one.ended_at, before.refused and one.refused)
        found.append(one)
    return found[::-1]
