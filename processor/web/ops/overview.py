"""``/ops``: what is wrong, since when, what to do, and how it goes. Live, also while Redis is away."""

from collections.abc import Mapping
from typing import Any

from flask import Response
from marshmallow import Schema, fields
from redis import RedisError

from processor.conditions.model import Severity
from processor.resources import queries, trends
from processor.resources.trends import Window
from processor.store import capacity, heartbeats
from processor.web.dependencies import conditions, get_container, get_last_read
from processor.web.ops import condition_actions, copy, rendering, sparkline
from processor.web.ops.rendering import blueprint

TONES = {Severity.CRITICAL: "bad", Severity.ERROR: "bad", Severity.WARNING: "wait", Severity.INFO: "calm"}

LISTS: Mapping[str, tuple[str, dict[str, str]]] = {
    "inbox_stalled": ("events", {"status": "pending"}),
    "message_retrying": ("events", {"status": "failed"}),
    "messages_dead": ("events", {"status": "dead"}),
    "messages_quarantined": ("events", {"status": "quarantined"}),
    "deliveries_dead": ("notifications", {"status": "dead"}),
    "deliveries_uncertain": ("notifications", {"status": "uncertain"}),
}
"""The list, with its filter, that shows the subjects of a condition."""

ASKS_FOR_SECRET = ("messages_refused", "webhooks_missing")
"""Conditions that a signing secret may end, which is added on the page of access."""

POLICY = rendering.POLICY + "; connect-src 'self'"
"""The overview has a second script, which loads it again without a reload."""


class OverviewQuery(Schema):
    """The parameters of the overview."""

    window = fields.Enum(Window, by_value=True, load_default=Window.HOUR)


@blueprint.get("", strict_slashes=False)
def overview() -> Response:
    """The state of the service."""
    response = rendering.page("overview", **_values(rendering.query_of(OverviewQuery)["window"]))
    response.headers["Content-Security-Policy"] = POLICY
    return response


@blueprint.get("/live")
def live_overview() -> Response:
    """The part of the overview that changes, for its script."""
    values = _values(rendering.query_of(OverviewQuery)["window"])
    response = rendering.fragment("_overview", **values)
    response.headers["Content-Security-Policy"] = POLICY
    return response


def _values(window: Window) -> dict[str, Any]:
    """What the page shows.

    While Redis is away it is what this process read last, with the conditions of now and ``stale_since``.
    Raises ``redis.RedisError`` where this process has read nothing yet.
    """
    container = get_container()
    now, current = container.clock(), conditions()
    last_known = get_last_read()
    try:
        read = {
            "stats": queries.stats(container.reader, container.redis, current),
            "processes": heartbeats.live_processes(container.redis),
            "names": rendering.receiver_names(),
            "figures": trends.figures(container.redis, now),
            "trends": trends.read(container.redis, window, now),
            "capacity": capacity.read(container.redis, now),
            "read_at": now,
        }
    except RedisError:
        if window not in last_known:
            raise
        stale_since = last_known[window]["read_at"]
    else:
        last_known[window], stale_since = read, None
    return {
        **last_known[window],
        "stale_since": stale_since,
        "missed_after_s": heartbeats.MISSED_AFTER_MS // 1000,
        "wrong": [condition for condition in current if condition.severity is not Severity.INFO],
        "notes": [condition for condition in current if condition.severity is Severity.INFO],
        "headline": copy.headline(current),
        "tones": TONES,
        "lists": LISTS,
        "asks_for_secret": ASKS_FOR_SECRET,
        "actions": condition_actions.available(container),
        "mutes": condition_actions.MUTES,
        "window": window,
        "windows": copy.WINDOWS,
        "spark": sparkline,
    }
