"""Messages that were refused at the door, by reason, beside those that were authentic. One small hash."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from redis.client import Pipeline

from processor.alerts.refusals import RefusalReason
from processor.clock import from_ms, to_ms
from processor.store import keys
from processor.store.decoding import text_fields

_COUNT = "refused:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipts:
    """What was refused since the start, and lately.

    ``streak`` are the refusals since the last authentic message, ``streak_since`` when they began.
    ``None``: never, or there are none.
    """

    refused: Mapping[str, int] = field(default_factory=dict)
    refused_at: datetime | None = None
    last_reason: str | None = None
    authentic_at: datetime | None = None
    streak: int = 0
    streak_since: datetime | None = None


def add(
    pipe: "Pipeline[Any]", refused: Mapping[RefusalReason, int], *, authentic: bool, now: datetime
) -> None:
    """Write down, as a part of a pipeline, what one process saw in the last moments.

    An authentic message beside refused ones speaks for the secrets, so such refusals begin no streak.
    """
    name, now_ms = keys.receipts(), to_ms(now)
    telling = {reason: count for reason, count in refused.items() if reason.is_telling}
    for reason, count in refused.items():
        pipe.hincrby(name, _COUNT + reason, count)
    for reason in telling:
        pipe.hset(name, mapping={"refused_ms": now_ms, "last_reason": reason})
    if authentic:
        pipe.hset(name, "authentic_ms", now_ms)
        pipe.hdel(name, "streak", "streak_ms")
    elif telling:
        pipe.hincrby(name, "streak", sum(telling.values()))
        pipe.hsetnx(name, "streak_ms", now_ms)


def parse(row: Mapping[bytes, bytes]) -> Receipts:
    """What was written down, from the hash as Redis has it."""
    said = text_fields(row)

    def moment(name: str) -> datetime | None:
        return from_ms(int(said[name])) if name in said else None

    return Receipts(
        refused={k.removeprefix(_COUNT): int(v) for k, v in sorted(said.items()) if k.startswith(_COUNT)},
        refused_at=moment("refused_ms"),
        last_reason=said.get("last_reason"),
        authentic_at=moment("authentic_ms"),
        streak=int(said.get("streak", 0)),
        streak_since=moment("streak_ms"),
    )
