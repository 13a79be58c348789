"""``/ops``: is it broken, since when, and what to do?"""

import time
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response

from processor import lookups
from processor.store import health, interruptions
from processor.times import to_iso
from processor.web.context import container, desk
from processor.web.ops import naming, sheets, troubles


def add_to(blueprint: Blueprint) -> None:
    """Add this page."""
    blueprint.add_url_rule("", view_func=overview, strict_slashes=False)


def overview() -> Response:
    """How everything stands."""
    own = container()
    now_ms = int(time.time() * 1000)
    reasons, warnings = health.look(own.redis, now_ms=now_ms)
    processes = health.seen(own.redis)
    last_seen = {role: to_iso(rows[0][1]) for role, rows in processes.items() if rows}
    stats = lookups.stats(own.reader, own.redis)
    names = naming.of_subscribers()
    found = troubles.found(reasons, warnings, stats, last_seen, names)
    notes = troubles.switched_off(stats["lanes"], _disabled_since(stats), names)
    away = troubles.away(interruptions.seen(own.redis, own.clock()))
    return sheets.page(
        "overview",
        stats=stats,
        processes=processes,
        troubles=found,
        notes=[*notes, *away],
        names=names,
        headline=troubles.headline(reasons, found, notes),
    )


def _disabled_since(stats: Mapping[str, Any]) -> dict[str, str]:
    """Since when the lanes that were switched off are, where that is known."""
    lanes = [lane["id"] for lane in stats["lanes"] if lane["status"] == "disabled"]
    states = desk().control.states(lanes)
    return {id_: to_iso(state.since) for id_, state in states.items() if state.since is not None}
