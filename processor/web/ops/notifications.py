"""The pages of notifications: receivers, attempts, redelivery."""

from functools import partial
from operator import itemgetter

from flask import Response, request

from handlers.milestones import NOTIFICATION_TYPES
from processor.delivery.channels.registry import BUILT_IN
from processor.errors import Conflict
from processor.resources import queries
from processor.resources.serializers import NOTIFICATION_STATUSES
from processor.web.dependencies import get_container
from processor.web.ops import copy, csv_export, filters, rendering
from processor.web.ops.rendering import blueprint

NOT_SENT = ("deliveries", "status")
"""Members of a notification that are not part of the payload."""

COLUMNS: tuple[csv_export.Column, ...] = (
    *("id", "type", "status"),
    ("decided_at", itemgetter("timestamp")),
    ("connection_id", lambda notification: notification["data"]["connection_id"]),
    ("company_id", lambda notification: notification["data"]["company_id"]),
    ("merchant_id", lambda notification: notification["data"]["merchant_id"]),
)


@blueprint.get("/notifications")
def notifications() -> Response:
    """Notifications, newest first."""
    query = rendering.query_of(filters.NotificationFilter)
    fetch = partial(queries.notifications, get_container().reader)
    if csv_export.is_wanted():
        return csv_export.response("notifications", COLUMNS, fetch, filters.with_companies(query))
    page = fetch(**filters.with_companies(query))
    return rendering.page(
        "notifications",
        page=page,
        query=query,
        statuses=NOTIFICATION_STATUSES,
        types=[(type_, type_) for type_ in NOTIFICATION_TYPES],
        receivers=[*rendering.receiver_names().items(), *((channel, channel) for channel in BUILT_IN)],
        company_names=filters.company_names(notification["data"] for notification in page["items"]),
    )


@blueprint.get("/notifications/<id_>")
def notification(id_: str) -> Response:
    """One notification: its payload, its deliveries, and the receivers of a redelivery."""
    rendering.query_of()
    notification = queries.notification(get_container().reader, id_)
    payload = copy.pretty({name: value for name, value in notification.items() if name not in NOT_SENT})
    receivers, refusal = _receivers(id_)
    delivered = {row["id"] for row in notification["deliveries"] if row["status"] == "delivered"}
    return rendering.page(
        "notification",
        notification=notification,
        payload=payload,
        receivers=receivers,
        delivered_count=len(delivered.intersection(receivers)),
        refusal=refusal,
        names=rendering.receiver_names(),
    )


@blueprint.post("/notifications/<id_>")
def redeliver(id_: str) -> Response:
    """Redeliver a notification to all its receivers, or in one lane."""
    lane_id = request.form.get("lane") or None
    count = len(get_container().redelivery_service.redeliver(id_, subscriber_id=lane_id).lanes)
    done = "redelivered-to-several" if count > 1 else "redelivered"
    return rendering.back(rendering.address("notification", id_), done, count=count)


def _receivers(id_: str) -> tuple[tuple[str, ...], str]:
    """The lanes of a redelivery to all receivers; without any, the reason."""
    try:
        return get_container().redelivery_service.redeliver(id_, dry_run=True).lanes, ""
    except Conflict as error:
        return (), error.detail
