"""The last failed attempts in a lane, with what the receiver answered."""

from typing import Any

from processor.delivery import serializers
from processor.store.queries import Reader

MOST = 10
_LOOKED_AT = 30
"""Notifications of each status that are looked at, newest first."""


def failed_attempts(reader: Reader, lane_id: str) -> list[dict[str, Any]]:
    """Up to ten failed attempts, newest first, each with its ``notification_id``."""
    attempts: dict[tuple[str, str], dict[str, Any]] = {}
    for status in ("pending", "dead", "delivered"):
        page = reader.list_notifications(status=status, limit=_LOOKED_AT, cursor=None)
        for row in page.items:
            notification_id = row["body"]["id"]
            for delivery in serializers.deliveries(row["deliveries"]):
                for attempt in delivery["attempts"] if delivery["id"] == lane_id else ():
                    if attempt["outcome"] not in ("delivered", "uncertain"):
                        attempts[notification_id, attempt["at"]] = {
                            **attempt,
                            "notification_id": notification_id,
                        }
    return sorted(attempts.values(), key=lambda attempt: str(attempt["at"]), reverse=True)[:MOST]
