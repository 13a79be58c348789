"""The outbox: decided notifications, and the stream that publishes them."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from redis.client import Pipeline

from handlers.milestones import Notification
from processor.clock import to_iso, to_us
from processor.store import keys


def body_of(notification: Notification) -> str:
    """The public JSON of ``notification``."""
    data = {
        name: to_iso(value) if isinstance(value, datetime) else value
        for name, value in notification.data.items()
    }
    body = {
        "id": notification.id,
        "type": notification.type.value,
        "timestamp": to_iso(notification.timestamp),
        "data": data,
    }
    return json.dumps(body, separators=(",", ":"))


def write(pipe: "Pipeline[Any]", notifications: Sequence[Notification], *, stream_length: int) -> None:
    """Stage notifications in order: records, indexes and stream entries."""
    scores: dict[str | bytes, float] = {}
    for position, notification in enumerate(notifications):
        body = body_of(notification)
        at_us = to_us(notification.timestamp) + position  # notifications of one moment keep their order
        connection_id = notification.data["connection_id"] or notification.data["company_id"]
        pipe.hset(keys.notification(notification.id), mapping={"body": body, "connection_id": connection_id})
        pipe.zadd(keys.outbox_of(connection_id), {notification.id: at_us})
        pipe.xadd(keys.stream(), {"notification": body}, maxlen=stream_length, approximate=True)
        scores[notification.id] = at_us
    if scores:
        pipe.zadd(keys.outbox(), scores)
        pipe.rpush(keys.fan_out(), *scores)
