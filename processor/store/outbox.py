"""The outbox: decided notifications."""

import json
from collections.abc import Sequence
from datetime import datetime

from handlers.milestones import Notification
from processor.clock import to_iso, to_us
from processor.store import keys, records
from processor.store.serialization import to_json
from processor.store.writes import Staging, scores_and_members


def _fields_of(notification: Notification) -> bytes:
    """The public JSON of ``notification`` without its id, in ASCII."""
    data = {
        name: to_iso(value) if isinstance(value, datetime) else value
        for name, value in notification.data.items()
    }
    body = {"type": notification.type.value, "timestamp": to_iso(notification.timestamp), "data": data}
    document = to_json(body)
    return document if document.isascii() else json.dumps(body, separators=(",", ":")).encode()


def write(pipe: Staging, cell: int, notifications: Sequence[Notification]) -> None:
    """Stage notifications in order: records, indexes, and what the dispatcher has to publish."""
    scores: dict[str, int] = {}
    for position, notification in enumerate(notifications):
        at_us = to_us(notification.timestamp) + position  # notifications of one moment keep their order
        connection_id = notification.data["connection_id"] or notification.data["company_id"]
        row = records.notification_row(_fields_of(notification), connection_id)
        pipe.execute_command("XADD", keys.fan_out(cell), "*", "id", notification.id)
        pipe.execute_command("SET", keys.notification(cell, notification.id), row)
        pipe.execute_command("ZADD", keys.outbox_of(cell, connection_id), at_us, notification.id)
        scores[notification.id] = at_us
    if scores:
        pipe.execute_command("ZADD", keys.outbox(cell), *scores_and_members(scores))
