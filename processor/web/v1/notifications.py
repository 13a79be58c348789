"""Calls about notifications."""

from typing import Any

from processor.resources import queries
from processor.web.dependencies import get_container
from processor.web.v1.calls import Calls
from processor.web.v1.fields import page_of
from processor.web.v1.notification_schemas import NotificationSchema
from processor.web.v1.parameters import NotificationQuery

calls = Calls(
    "notifications", "Notifications that were decided", ids={"notification_id": "A notification's id."}
)


@calls.get("/notifications", page_of(NotificationSchema), query=NotificationQuery)
def list_notifications(**query: Any) -> dict[str, Any]:
    """Notifications, newest first"""
    return queries.notifications(get_container().reader, **query)


@calls.get("/notifications/<notification_id>", NotificationSchema)
def get_notification(notification_id: str) -> dict[str, Any]:
    """One notification"""
    return queries.notification(get_container().reader, notification_id)
