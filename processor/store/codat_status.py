"""How asking Codat stands, for people: what was missed, what is wrong, and what is left of the quota."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from processor.clock import from_ms, to_iso, to_ms
from processor.store import codat_calls, keys, receipts

OVER = timedelta(days=1)
LATE = timedelta(minutes=10)
"""A message may come so long after we found out by ourselves; then it was only late."""


def warnings(client: "Redis[Any]") -> list[dict[str, str]]:
    """What is wrong with Codat's messages now, as ``kind``, ``what``, ``advice``, ``sentence`` and ``since``,
    oldest first."""
    return _warnings(client.hvals(keys.warnings()))


def read(client: "Redis[Any]", now: datetime) -> dict[str, Any]:
    """All of it at ``now``, by our clock; ``None`` is "never" or "not known"."""
    with client.pipeline(transaction=False) as pipe:
        pipe.hmget(keys.counters(), "missed_messages", "last_message_ms")
        pipe.zcount(keys.repairs(), to_ms(now - OVER), to_ms(now - LATE))
        pipe.hget(keys.sweep(), "walked")
        pipe.hvals(keys.warnings())
        pipe.zcard(keys.looks())
        pipe.hmget(keys.quota(), "limit", "remaining", "resets_ms")
        pipe.hget(keys.pace(), "blocked_ms")
        pipe.get(keys.polling_paused())
        pipe.hgetall(keys.codat_calls())
        pipe.hgetall(keys.receipts())
        (missed, last_ms), missing, walked, rows, looks, quota, blocked_ms, paused, *hashes = pipe.execute()
    calls, received = codat_calls.parse(hashes[0]), receipts.parse(hashes[1])
    blocked = from_ms(int(blocked_ms)) if blocked_ms else None
    return {
        "missed_messages": int(missed or 0),
        "missing_now": missing,
        "last_message_at": to_iso(from_ms(int(last_ms))) if last_ms else None,
        "last_walk_at": walked.decode() if walked else None,
        "warnings": _warnings(rows),
        "watched": looks,
        "quota": _quota(quota, now),
        "told_to_wait_until": to_iso(blocked) if blocked and blocked > now else None,
        "calls": {
            "by_status": dict(calls.counts),
            "seconds_by_status": dict(calls.seconds),
            "last_answer_at": _iso(calls.answered_at),
            "failing_since": _iso(calls.failing_since),
            "key_refused_since": _iso(calls.refused_since),
        },
        "refused": {
            "by_reason": dict(received.refused),
            "last_at": _iso(received.refused_at),
            "last_authentic_at": _iso(received.authentic_at),
        },
        "polling_paused_until": paused.decode() if paused and paused.decode() > to_iso(now) else None,
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else to_iso(moment)


def _warnings(rows: Sequence[bytes]) -> list[dict[str, str]]:
    """``sentence`` is ``what`` is wrong with the ``advice``; rows of earlier versions hold it alone."""
    found = []
    for row in map(json.loads, rows):
        what, advice = row.get("what", row.get("sentence")), row.get("advice", "")
        sentence = f"{what} {advice}".strip()
        found.append({**row, "what": what, "advice": advice, "sentence": sentence})
    return sorted(found, key=lambda row: (row["since"], row["kind"]))


def _quota(row: Sequence[bytes | None], now: datetime) -> dict[str, Any] | None:
    limit, remaining, resets_ms = (None if value is None else int(value) for value in row)
    if resets_ms is None or from_ms(resets_ms) <= now:
        return None
    return {"limit": limit, "remaining": remaining, "resets_at": to_iso(from_ms(resets_ms))}
