"""Counts of refused messages by reason, and the last authentic message. One small hash."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from redis.client import Pipeline

from processor.alerts.signature import RefusalReason
from processor.clock import to_ms
from processor.store import keys
from processor.store.decoding import fields_with_prefix, moment, text_fields

_COUNT = "refused:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipts:
    """Refused messages since the start of this store.

    ``streak`` counts the refusals since the last authentic message, from ``streak_since`` on. A time is
    ``None`` if there was no such message.
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
    """Stage the counts of one process since its last call.

    An authentic message among refused ones shows that the secrets are right, so it ends the streak.
    """
    name, now_ms = keys.receipts(), to_ms(now)
    actionable = {reason: count for reason, count in refused.items() if reason.is_actionable}
    for reason, count in refused.items():
        pipe.hincrby(name, _COUNT + reason, count)
    for reason in actionable:
        pipe.hset(name, mapping={"refused_ms": now_ms, "last_reason": reason})
    if authentic:
        pipe.hset(name, "authentic_ms", now_ms)
        pipe.hdel(name, "streak", "streak_ms")
    elif actionable:
        pipe.hincrby(name, "streak", sum(actionable.values()))
        pipe.hsetnx(name, "streak_ms", now_ms)


def parse(row: Mapping[bytes, bytes]) -> Receipts:
    """Parse the hash as stored."""
    fields = text_fields(row)
    return Receipts(
        refused={name: int(count) for name, count in fields_with_prefix(fields, _COUNT)},
        refused_at=moment(fields, "refused_ms"),
        last_reason=fields.get("last_reason"),
        authentic_at=moment(fields, "authentic_ms"),
        streak=int(fields.get("streak", 0)),
        streak_since=moment(fields, "streak_ms"),
    )
