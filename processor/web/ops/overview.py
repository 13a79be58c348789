"""``/ops``: is it broken, since when, and what to do?"""

from collections.abc import Mapping, Sequence

from flask import Blueprint, Response

from processor.conditions.model import Condition, Severity
from processor.resources import queries
from processor.store import heartbeats
from processor.web.dependencies import conditions, get_container
from processor.web.ops import receiver_names, rendering

TONES = {Severity.CRITICAL: "bad", Severity.ERROR: "bad", Severity.WARNING: "wait", Severity.INFO: "calm"}

LISTS: Mapping[str, tuple[str, dict[str, str]]] = {
    "inbox_stalled": ("events", {"status": "pending"}),
    "messages_dead": ("events", {"status": "dead"}),
    "messages_quarantined": ("events", {"status": "quarantined"}),
    "deliveries_dead": ("notifications", {"status": "dead"}),
    "deliveries_uncertain": ("notifications", {"status": "uncertain"}),
}
"""The page, with its filter, that lists what a condition is about."""


def add_to(blueprint: Blueprint) -> None:
    """Add this page."""
    blueprint.add_url_rule("", view_func=overview, strict_slashes=False)


def overview() -> Response:
    """How everything stands."""
    rendering.query_of()
    container = get_container()
    found = conditions()
    return rendering.page(
        "overview",
        stats=queries.stats(container.reader, container.redis, found),
        processes=heartbeats.live_processes(container.redis),
        missed_after_s=heartbeats.MISSED_AFTER_MS // 1000,
        wrong=[one for one in found if one.severity is not Severity.INFO],
        notes=[one for one in found if one.severity is Severity.INFO],
        names=receiver_names.of_subscribers(),
        headline=headline(found),
        tones=TONES,
        lists=LISTS,
    )


def headline(conditions: Sequence[Condition]) -> tuple[str, str, str]:
    """Is it broken? Tone, answer, and what that means."""
    worst = {one.severity for one in conditions}
    if Severity.CRITICAL in worst:
        return "bad", "Messages cannot be kept", "Codat is told to send them again later."
    kept = "Messages are taken and kept. What is wrong stands here, with what to do."
    if Severity.ERROR in worst:
        return "bad", "A part of it does not work", kept
    if Severity.WARNING in worst:
        return "wait", "It works, and something needs you", kept
    if any(one.code == "receiver_disabled" for one in conditions):
        return (
            "good",
            "It works, and something is switched off",
            "Messages are taken, handled and told, but not to whom an operator disabled.",
        )
    return "good", "All is well", "Messages are taken, handled and told."
