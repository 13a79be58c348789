"""What was told: to whom, each attempt, and another one."""

from flask import Blueprint, Response, request

from processor import lookups
from processor.views import NOTIFICATION_STATUSES
from processor.web.context import container, redelivery
from processor.web.ops import door, sheets, words
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
    query = sheets.query_of(NotificationQuery)
    page = lookups.notifications(container().reader, **query)
    return sheets.page("notifications", page=page, query=query, statuses=NOTIFICATION_STATUSES)


def notification(id_: str) -> Response:
    """One notification as it is sent, and the attempts to deliver it."""
    found = lookups.notification(container().reader, sheets.wanted(id_))
    sent = words.pretty({name: value for name, value in found.items() if name not in WAYS})
    return sheets.page("notification", notification=found, sent=sent)


def redeliver(id_: str) -> Response:
    """Send one again: to everybody who wants it, or in one lane."""
    door.check_form()
    id_ = sheets.wanted(id_)
    redelivery().one(id_, subscriber_id=request.form.get("lane") or None)
    return sheets.back(sheets.address("notification", id_), "redelivered")
