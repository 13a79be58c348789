"""Conditions of deliveries: failed ones, and lanes that do not run. Pure."""

from collections.abc import Iterator
from datetime import timedelta

from processor.clock import to_iso
from processor.conditions.facts import Facts
from processor.conditions.model import Condition
from processor.conditions.registry import make
from processor.delivery.channels.registry import channel_of
from processor.delivery.lane import LaneState, Mode
from processor.humanize import number, span

OVERDUE_S = 60
"""A worker delivers within seconds; after this time, in seconds, no worker does."""


def conditions(facts: Facts) -> Iterator[Condition]:
    """Conditions of deliveries."""
    if facts.dead_deliveries:
        failed = number(facts.dead_deliveries, "delivery", "deliveries")
        yield make("deliveries_dead", f"{failed} failed to the last attempt.")
    if facts.uncertain_deliveries:
        text = number(
            facts.uncertain_deliveries,
            "notification was sent and not answered: it may have been delivered.",
            "notifications were sent and not answered: they may have been delivered.",
        )
        yield make("deliveries_uncertain", text)
    for lane in facts.lanes:
        name = facts.names.get(lane.lane_id, lane.lane_id)
        if lane.mode in (Mode.PAUSED, Mode.GONE):
            yield make(
                f"receiver_{lane.mode.value}",
                f"Deliveries to {name}: {lane.mode.value}, {lane.waiting:,} wait.",
                since=lane.failing_since or lane.since,
                subject=lane.lane_id,
            )
        elif lane.mode is Mode.DISABLED:
            yield _disabled(lane, name)
        elif lane.mode is Mode.ACTIVE and not lane.under_way and lane.overdue_s >= OVERDUE_S:
            yield make(
                "deliveries_stalled",
                f"Deliveries to {name}: {lane.waiting:,} wait, the oldest is due for {span(lane.overdue_s)}.",
                since=facts.now - timedelta(seconds=lane.overdue_s),
                subject=lane.lane_id,
            )
        else:
            yield from _failing(lane, name)
    if facts.mails_without_links:
        yield make("public_url_missing", "E-mails are sent without links: PUBLIC_URL is unset.")


def _failing(lane: LaneState, name: str) -> Iterator[Condition]:
    """The condition that the lane's channel declares for failures."""
    failure = channel_of(lane.lane_id).failure
    if not failure.is_failing(lane):
        return
    last_error = (lane.last_attempt or {}).get("error") or "it failed"
    attempts = number(lane.failures, "attempt", "attempts in a row")
    yield make(
        failure.code,
        f"{failure.sentence.format(name=name)}: {attempts}, the last: {last_error}."
        f" Before, {lane.delivered:,} succeeded; {lane.waiting:,} wait.",
        since=lane.failing_since,
        subject=lane.lane_id if failure.has_subject else "",
    )


def _disabled(lane: LaneState, name: str) -> Condition:
    waiting = number(lane.waiting, "delivery from before waits", "deliveries from before wait")
    since = "TIME" if lane.since is None else to_iso(lane.since)
    missed = f"--since {since} --undelivered --subscriber {lane.lane_id}"
    return make(
        "receiver_disabled",
        f"Nothing is sent to {name}: it is disabled.",
        advice="What is decided meanwhile does not wait for it."
        f"{f' {waiting} until it is enabled.' if lane.waiting else ''}"
        " Once it is enabled again, what it missed is sent by"
        f" `codat-processor notifications redeliver {missed}`.",
        since=lane.since,
        subject=lane.lane_id,
    )
