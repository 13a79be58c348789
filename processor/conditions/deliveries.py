"""Conditions of what is told: deliveries that failed, and receivers that fail. Pure."""

from collections.abc import Iterator
from datetime import timedelta

from processor.clock import to_iso
from processor.conditions.facts import Facts
from processor.conditions.model import Condition
from processor.conditions.registry import make
from processor.delivery.lane import EMAIL, OPERATORS, Mode
from processor.delivery.lane_admin import LaneState
from processor.delivery.retry_schedule import SLOW_AFTER
from processor.humanize import number, span

OVERDUE_S = 60
"""What is due is taken within seconds where anybody delivers; after so long, in seconds, nobody does."""

MAILS_REFUSED_AFTER = 3
PERMANENT = 500
"""From this status on a mail server means what it says: one refusal is enough."""


def conditions(facts: Facts) -> Iterator[Condition]:
    """Deliveries that failed for good, and lanes that do not run."""
    if facts.dead_deliveries:
        text = number(
            facts.dead_deliveries,
            "delivery failed to the last attempt.",
            "deliveries failed to the last attempt.",
        )
        yield make("deliveries_dead", text)
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
        elif lane.lane_id == EMAIL and _is_refused(lane):
            yield make(
                "mail_refused",
                f"The mail server takes no e-mails: {_failing(lane)}",
                since=lane.failing_since,
            )
        elif lane.lane_id != EMAIL and (lane.mode is Mode.SLOW or lane.failures >= SLOW_AFTER):
            yield make(
                "operators_unreachable" if lane.lane_id == OPERATORS else "receiver_failing",
                f"Deliveries to {name} fail: {_failing(lane)}",
                since=lane.failing_since,
                subject=lane.lane_id,
            )
    if facts.mails_without_links:
        yield make("public_url_missing", "E-mails are sent without links: PUBLIC_URL is unset.")


def _is_refused(lane: LaneState) -> bool:
    """Whether the mail server refuses what is handed in, not one recipient."""
    status = (lane.last_attempt or {}).get("status_code") or 0
    return lane.failures >= (1 if status >= PERMANENT else MAILS_REFUSED_AFTER)


def _failing(lane: LaneState) -> str:
    """How an attempt ended lately, and how many did: ``20 attempts in a row, the last: answered 500.``"""
    last = (lane.last_attempt or {}).get("error") or "it failed"
    attempts = number(lane.failures, "attempt", "attempts in a row")
    return f"{attempts}, the last: {last}. Before, {lane.delivered:,} succeeded; {lane.waiting:,} wait."


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
