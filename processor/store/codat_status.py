"""State of the exchange with Codat for operators: missed messages, warnings, quota and calls."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from processor.clock import from_ms, iso_or_none, to_iso, to_ms
from processor.store import codat_calls, keys, receipts
from processor.store.decoding import text

OVER = timedelta(days=1)
LATE = timedelta(minutes=10)
"""A message within this time after a poll found its change was late, not missed."""


def read(client: "Redis[Any]", now: datetime) -> dict[str, Any]:
    """The state at ``now``; ``None`` means "never" or "not known"."""
    with client.pipeline(transaction=False) as pipe:
        pipe.hget(keys.sweep(), "walked")
        pipe.hvals(keys.warnings())
        pipe.hmget(keys.quota(), "limit", "remaining", "resets_ms")
        pipe.hget(keys.pace(), "blocked_ms")
        pipe.get(keys.polling_paused())
        pipe.hgetall(keys.codat_calls())
        pipe.hgetall(keys.receipts())
        for cell in keys.cells():
            pipe.hmget(keys.counters(cell), "missed_messages", "last_message_ms")
            pipe.zcount(keys.repairs(cell), to_ms(now - OVER), to_ms(now - LATE))
            pipe.zcard(keys.looks(cell))
        scanned, rows, quota, blocked_ms, paused, calls_row, receipts_row, *of_cells = pipe.execute()
    calls, received = codat_calls.parse(calls_row), receipts.parse(receipts_row)
    missed = sum(int(count or 0) for count, _ in of_cells[::3])
    last_ms = max(int(at_ms or 0) for _, at_ms in of_cells[::3])
    blocked = from_ms(int(blocked_ms)) if blocked_ms else None
    return {
        "missed_messages": missed,
        "missing_now": sum(of_cells[1::3]),
        "last_message_at": to_iso(from_ms(last_ms)) if last_ms else None,
        "last_walk_at": text(scanned) if scanned else None,
        "warnings": _parse_warnings(rows),
        "watched": sum(of_cells[2::3]),
        "quota": _parse_quota(quota, now),
        "told_to_wait_until": to_iso(blocked) if blocked and blocked > now else None,
        "calls": {
            "by_status": dict(calls.counts),
            "seconds_by_status": dict(calls.seconds),
            "last_answer_at": iso_or_none(calls.answered_at),
            "failing_since": iso_or_none(calls.failing_since),
            "key_refused_since": iso_or_none(calls.refused_since),
        },
        "refused": {
            "by_reason": dict(received.refused),
            "last_at": iso_or_none(received.refused_at),
            "last_authentic_at": iso_or_none(received.authentic_at),
        },
        "polling_paused_until": text(paused) if paused and text(paused) > to_iso(now) else None,
    }


def _parse_warnings(rows: Sequence[bytes]) -> list[dict[str, str]]:
    """Current problems with Codat's messages, oldest first.

    Each has ``kind``, ``what``, ``advice``, ``sentence`` (both of them) and ``since``.
    """
    warnings = [{**row, "sentence": f"{row['what']} {row['advice']}"} for row in map(json.loads, rows)]
    return sorted(warnings, key=lambda row: (row["since"], row["kind"]))


def _parse_quota(row: Sequence[bytes | None], now: datetime) -> dict[str, Any] | None:
    limit, remaining, resets_ms = (None if value is None else int(value) for value in row)
    if resets_ms is None or from_ms(resets_ms) <= now:
        return None
    return {"limit": limit, "remaining": remaining, "resets_at": to_iso(from_ms(resets_ms))}
