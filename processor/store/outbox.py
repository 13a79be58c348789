"""The outbox: notifications that were decided, and the stream that carries them out."""

import json
from datetime import datetime
from typing import Any

from redis.client import Pipeline

from handlers.notices import Notification
from processor.store import keys
from processor.times import to_iso, to_us


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


def write(pipe: "Pipeline[Any]", notification: Notification, *, position: int, stream_length: int) -> None:
    """Add to a commit: the notification, its places in the indexes, and its entry on the stream.

    ``position`` is its place among those that are decided at the same moment.
    """
    body = body_of(notification)
    at_us = to_us(notification.timestamp) + position
    connection_id = notification.data["connection_id"]
    pipe.hset(keys.notification(notification.id), mapping={"body": body, "connection_id": connection_id})
    pipe.zadd(keys.outbox(), {notification.id: at_us})
    pipe.zadd(keys.outbox_of(connection_id), {notification.id: at_us})
    pipe.xadd(keys.stream(), {"notification": body}, maxlen=stream_length, approximate=True)
    pipe.rpush(keys.fan_out(), notification.id)
