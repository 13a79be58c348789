"""``/ops``: is it broken, since when, and what to do? And the search for anything that has an id."""

import time
from typing import Any

from flask import Blueprint, Response, redirect, request

from processor import lookups
from processor.store import health
from processor.store.reader import Reader
from processor.times import to_iso
from processor.web.context import container, desk
from processor.web.ops import sheets, troubles
from processor.web.v1.parameters import LONGEST_ID

MOST_COMPANIES = 50
"""So many companies of a merchant the search shows at most."""


def add_to(blueprint: Blueprint) -> None:
    """Add these pages."""
    blueprint.add_url_rule("", view_func=overview, strict_slashes=False)
    blueprint.add_url_rule("/search", view_func=search)


def overview() -> Response:
    """How everything stands."""
    own = container()
    now_ms = int(time.time() * 1000)
    reasons, warnings = health.look(own.redis, now_ms=now_ms)
    processes = health.seen(own.redis)
    last_seen = {role: to_iso(rows[0][1]) for role, rows in processes.items() if rows}
    stats = lookups.stats(own.reader, own.redis)
    found = troubles.found(reasons, warnings, stats, last_seen)
    return sheets.page(
        "overview",
        stats=stats,
        processes=processes,
        troubles=found,
        headline=troubles.headline(reasons, found),
    )


def search() -> Response:
    """Lead to what has this id, or say that nothing has."""
    wanted = request.args.get("q", "").strip()
    found = _with_id(container().reader, wanted) if wanted and len(wanted) <= LONGEST_ID else []
    if len(found) == 1:
        kind, id_, _ = found[0]
        return redirect(sheets.address(kind, id_))  # type: ignore[return-value]
    erased_at = container().reader.erased_at(wanted) if not found else None
    return sheets.page("search", wanted=wanted, found=found, erased_at=erased_at)


def _with_id(reader: Reader, wanted: str) -> list[tuple[str, str, str]]:
    """Everything that has this id: the view that shows it, its own id, and what it is."""
    finds: list[tuple[str, str, str]] = []
    if reader.connection(wanted) is not None:
        finds.append(("connection", wanted, "a connection"))
    if reader.company(wanted) is not None:
        finds.append(("company", wanted, "a company"))
    for row in reader.list_companies(merchant_id=wanted, limit=MOST_COMPANIES, cursor=None).items:
        if row["id"] != wanted:
            gone = ", deleted" if "deleted_at" in row else ""
            finds.append(("company", row["id"], f"a company of this merchant{gone}"))
    looks: tuple[tuple[str, Any, str], ...] = (
        ("event", reader.event, "an event"),
        ("notification", reader.notification, "a notification"),
        ("subscriber", desk().subscribers.find, "a subscriber"),
    )
    return finds + [(kind, wanted, words) for kind, look, words in looks if look(wanted) is not None]
