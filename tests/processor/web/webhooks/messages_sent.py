"""Messages that tests send to the webhook, and what the store holds of them."""

import hashlib

from redis import Redis

from processor.store import inbox_lanes
from tests.support import cells, messages
from tests.support.anything import COMPANY, CONNECTION

CURRENT = messages.connected(COMPANY, CONNECTION)
LEGACY = messages.status_alert(COMPANY, CONNECTION, "PendingAuth", "Linked", alert_id="alert-1")


def fingerprint(body: bytes) -> str:
    """The id of a message without one."""
    return "sha256-" + hashlib.sha256(body).hexdigest()


def depth(store: Redis) -> int:
    """The number of messages in the inbox."""
    return sum(inbox_lanes.depths(store))


def is_empty(store: Redis) -> bool:
    """Whether nothing is stored."""
    return store.dbsize() == 0


def is_kept(store: Redis, event_id: str, body: bytes, status: str = "pending") -> bool:
    """Whether the message is stored with this body and status."""
    row = cells.message(store, event_id)
    return (row.get("body"), row.get("status")) == (body, status)
