"""Recent outages of Redis, recorded by the clock process once Redis answers again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from processor.clock import from_ms, to_ms
from processor.store import keys
from processor.store.decoding import text

RETENTION = timedelta(days=7)
MAX_OUTAGES = 20


@dataclass(frozen=True, slots=True)
class Outage:
    """Period in which Redis did not answer, or (``refused``) answered every command with an error."""

    began_at: datetime
    ended_at: datetime
    refused: bool


def record(client: "Redis[Any]", outage: Outage) -> None:
    """Record an outage that is over. Raises ``redis.RedisError``."""
    began_ms, ended_ms = to_ms(outage.began_at), to_ms(outage.ended_at)
    name = keys.interruptions()
    with client.pipeline(transaction=True) as pipe:
        pipe.zadd(name, {f"{began_ms} {ended_ms} {int(outage.refused)}": ended_ms})
        pipe.zremrangebyscore(name, "-inf", to_ms(outage.ended_at - RETENTION))
        pipe.zremrangebyrank(name, 0, -MAX_OUTAGES - 1)
        pipe.expire(name, RETENTION)
        pipe.execute()


def recent(client: "Redis[Any]", now: datetime) -> list[Outage]:
    """Outages of the last week, newest first; overlapping ones are merged. Raises ``redis.RedisError``."""
    outages: list[Outage] = []
    for member in client.zrangebyscore(keys.interruptions(), to_ms(now - RETENTION), "+inf"):
        began_ms, ended_ms, refused = text(member).split(" ")
        outage = Outage(from_ms(int(began_ms)), from_ms(int(ended_ms)), refused == "1")
        while outages and outages[-1].ended_at >= outage.began_at:
            before = outages.pop()
            began_at = min(before.began_at, outage.began_at)
            outage = Outage(began_at, outage.ended_at, before.refused and outage.refused)
        outages.append(outage)
    return outages[::-1]
