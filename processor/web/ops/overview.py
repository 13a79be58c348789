"""``/ops``: what is wrong, since when, and what to do."""

from collections.abc import Mapping

from flask import Response

from processor.conditions.model import Severity
from processor.resources import queries
from processor.store import heartbeats
from processor.web.dependencies import conditions, get_container
from processor.web.ops import copy, rendering
from processor.web.ops.rendering import blueprint

TONES = {Severity.CRITICAL: "bad", Severity.ERROR: "bad", Severity.WARNING: "wait", Severity.INFO: "calm"}

LISTS: Mapping[str, tuple[str, dict[str, str]]] = {
    "inbox_stalled": ("events", {"status": "pending"}),
    "messages_dead": ("events", {"status": "dead"}),
    "messages_quarantined": ("events", {"status": "quarantined"}),
    "deliveries_dead": ("notifications", {"status": "dead"}),
    "deliveries_uncertain": ("notifications", {"status": "uncertain"}),
}
"""The list, with its filter, that shows the subjects of a condition."""


@blueprint.get("", strict_slashes=False)
def overview() -> Response:
    """The state of the service."""
    rendering.query_of()
    container = get_container()
    current = conditions()
    return rendering.page(
        "overview",
        stats=queries.stats(container.reader, container.redis, current),
        processes=heartbeats.live_processes(container.redis),
        missed_after_s=heartbeats.MISSED_AFTER_MS // 1000,
        wrong=[condition for condition in current if condition.severity is not Severity.INFO],
        notes=[condition for condition in current if condition.severity is Severity.INFO],
        names=rendering.receiver_names(),
        headline=copy.headline(current),
        tones=TONES,
        lists=LISTS,
    )
