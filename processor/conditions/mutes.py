"""Muted conditions: until a time their beginning alerts nobody. What began unmuted still ends with an alert.

A mute names a code, or the key of one condition (code and subject).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from processor.clock import from_ms, to_ms
from processor.conditions.registry import BY_CODE
from processor.errors import Invalid
from processor.store import keys
from processor.store.decoding import text_fields

LONGEST = timedelta(days=30)
MOST_MUTES = 200
_LONGEST_KEY = 200


def mute(client: "Redis[Any]", key: str, until: datetime, now: datetime) -> None:
    """Mute a code or a condition, instead of an earlier mute. Raises ``Invalid`` and ``redis.RedisError``."""
    if key.partition(" ")[0] not in BY_CODE or len(key) > _LONGEST_KEY:
        raise Invalid(errors={"condition": ["Not the code of a condition."]})
    if not timedelta() < until - now <= LONGEST:
        raise Invalid(errors={"until": [f"At most {LONGEST.days} days from now."]})
    rows = text_fields(client.hgetall(keys.mutes()))
    over = [name for name, until_ms in rows.items() if int(until_ms) <= to_ms(now)]
    if len(rows) - len(over) >= MOST_MUTES and key not in rows:
        raise Invalid(errors={"condition": [f"There are {MOST_MUTES} mutes already."]})
    with client.pipeline(transaction=True) as pipe:
        if over:
            pipe.hdel(keys.mutes(), *over)
        pipe.hset(keys.mutes(), key, to_ms(until))
        pipe.execute()


def unmute(client: "Redis[Any]", key: str) -> bool:
    """End a mute; false where there was none. Raises ``redis.RedisError``."""
    return bool(client.hdel(keys.mutes(), key))


def read(client: "Redis[Any]", now: datetime) -> dict[str, datetime]:
    """The mutes that hold now. Raises ``redis.RedisError``."""
    return parse(client.hgetall(keys.mutes()), now)


def parse(row: Mapping[bytes, bytes], now: datetime) -> dict[str, datetime]:
    """The mutes that hold now, from the hash as stored."""
    mutes = {key: from_ms(int(until_ms)) for key, until_ms in text_fields(row).items()}
    return {key: until for key, until in mutes.items() if until > now}


def muted_until(mutes: Mapping[str, datetime], code: str, key: str, now: datetime) -> datetime | None:
    """When the mute of a condition ends; ``None`` where it is not muted, or not any more.

    The mutes may have been read a while ago: Redis may be away.
    """
    ends = (mutes[name] for name in {code, key} & mutes.keys())
    return max((end for end in ends if end > now), default=None)
