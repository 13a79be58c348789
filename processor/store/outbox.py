"""The outbox: notifications that were decided, and the stream that carries them out."""

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
    """Add to a commit: notifications in their order, their places in the indexes, and on the stream."""
    places: dict[str | bytes, float] = {}
    for position, notification in enumerate(notifications):
        body = body_of(notification)
        at_us = to_us(notification.timestamp) + position  # those decided at one moment keep their order
        connection_id = notification.data["connection_id"]
        pipe.hset(keys.notification(notification.id), mapping={"body": body, "connection_id": connection_id})
        pipe.zadd(keys.outbox_of(connection_id), {notification.id: at_us})
        pipe.xadd(keys.stream(), {"notification": body}, maxlen=stream_length, approximate=True)
        places[notification.id] = at_us
    if places:
        pipe.zadd(keys.outbox(), places)
        pipe.rpush(keys.fan_out(), *places)
