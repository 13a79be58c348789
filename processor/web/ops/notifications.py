"""What was told: to whom, each attempt, and another one."""

from flask import Blueprint, Response, request

from processor.errors import Conflict
from processor.resources import queries
from processor.resources.serializers import NOTIFICATION_STATUSES
from processor.web.dependencies import get_container
from processor.web.ops import auth, copy, receiver_names, rendering
from processor.web.v1.parameters import NotificationQuery

WAYS = ("deliveries", "status")
"""What is ours of a notification; everything else is what is sent."""


def add_to(blueprint: Blueprint) -> None:
    """Add these pages."""
    blueprint.add_url_rule("/notifications", view_func=notifications)
    blueprint.add_url_rule("/notifications/<id_>", view_func=notification)
    blueprint.add_url_rule("/notifications/<id_>", "redeliver", redeliver, methods=["POST"])


def notifications() -> Response:
    """Notifications, newest first."""
    query = rendering.query_of(NotificationQuery)
    page = queries.notifications(get_container().reader, **query)
    return rendering.page("notifications", page=page, query=query, statuses=NOTIFICATION_STATUSES)


def notification(id_: str) -> Response:
    """One notification as it is sent, the attempts to deliver it, and to whom it would be sent again."""
    rendering.query_of()
    id_ = rendering.wanted(id_)
    found = queries.notification(get_container().reader, id_)
    sent = copy.pretty({name: value for name, value in found.items() if name not in WAYS})
    receivers, refusal = _receivers(id_)
    have = {one["id"] for one in found["deliveries"] if one["status"] == "delivered"}
    return rendering.page(
        "notification",
        notification=found,
        sent=sent,
        receivers=receivers,
        have=len(have.intersection(receivers)),
        refusal=refusal,
        names=receiver_names.of_subscribers(),
    )


def redeliver(id_: str) -> Response:
    """Send one again: to everybody who wants it, or in one lane."""
    auth.check_form()
    id_ = rendering.wanted(id_)
    lane_id = request.form.get("lane") or None
    count = len(get_container().redelivery_service.redeliver(id_, subscriber_id=lane_id).lanes)
    done = "redelivered-to-several" if count > 1 else "redelivered"
    return rendering.back(rendering.address("notification", id_), done, count=count)


def _receivers(id_: str) -> tuple[tuple[str, ...], str]:
    """The lanes into which it would be put for everybody; without one, why."""
    try:
        return get_container().redelivery_service.redeliver(id_, dry_run=True).lanes, ""
    except Conflict as error:
        return (), error.detail
