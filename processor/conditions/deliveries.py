"""Conditions of what is told: deliveries that failed, and receivers that fail. Pure."""

from collections.abc import Iterator

from processor.conditions.facts import Facts
from processor.conditions.model import Condition
from processor.conditions.registry import make
from processor.delivery.control import LaneState
from processor.delivery.lane import Mode
from processor.humanize import number
from processor.times import to_iso

CODES = {
    Mode.SLOW: "receiver_failing",
    Mode.PAUSED: "receiver_paused",
    Mode.GONE: "receiver_gone",
}


def conditions(facts: Facts) -> Iterator[Condition]:
    """Deliveries that failed for good, and lanes that do not run."""
    if facts.dead_deliveries:
        text = number(
            facts.dead_deliveries,
            "delivery failed to the last attempt.",
            "deliveries failed to the last attempt.",
        )
        yield make("deliveries_dead", text)
    for lane in facts.lanes:
        name = facts.names.get(lane.lane_id, lane.lane_id)
        if lane.mode in CODES:
            yield make(
                CODES[lane.mode],
                f"Deliveries to {name}: {lane.mode.value}, {lane.waiting:,} wait.",
                since=lane.failing_since or lane.since,
                subject=lane.lane_id,
            )
        elif lane.mode is Mode.DISABLED:
            yield _disabled(lane, name)


def _disabled(lane: LaneState, name: str) -> Condition:
    stay = number(lane.waiting, "delivery from before waits", "deliveries from before wait")
    since = "TIME" if lane.since is None else to_iso(lane.since)
    missed = f"--since {since} --undelivered --subscriber {lane.lane_id}"
    return make(
        "receiver_disabled",
        f"Nothing is sent to {name}: it is disabled.",
        advice="What is decided meanwhile does not wait for it."
        f"{f' {stay} until it is enabled.' if lane.waiting else ''}"
        " Once it is enabled again, what it missed is sent by"
        f" `codat-processor notifications redeliver {missed}`.",
        since=lane.since,
        subject=lane.lane_id,
    )
