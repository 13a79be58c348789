"""Which recipients of a delivery were reached, so that no retry goes to somebody who has it, or may have it.

Needed where a copy cannot be recognised by its receiver: e-mail and chat. Each recipient has a note with the
delivery from just before the send; a process that dies in the middle leaves it as ``uncertain``.
"""

from typing import Any

from redis import Redis

from processor.delivery.lane import Lease
from processor.delivery.scripts import register
from processor.store import keys
from processor.store.decoding import text_fields

DELIVERED = "delivered"
UNCERTAIN = "uncertain"


class LeaseLost(Exception):
    """Another process has the delivery by now; nothing was sent."""


class SendLog:
    """Notes of sends, by recipient: any name without a space. Raises ``redis.RedisError``."""

    def __init__(self, client: "Redis[Any]") -> None:
        self._client = client
        self._script = register(client, "note")

    def outcomes(self, claimed: Lease) -> dict[str, str]:
        """``delivered`` or ``uncertain`` for each recipient to whom an earlier attempt sent."""
        prefix = f"{claimed.lane.id}:sent:"
        row = self._client.hgetall(keys.deliveries(claimed.notification_id))
        named = text_fields(row)
        return {name.removeprefix(prefix): named[name] for name in named if name.startswith(prefix)}

    def begin(self, claimed: Lease, recipient: str) -> None:
        """Note that a send begins which cannot be taken back; raises :class:`LeaseLost`."""
        if not self._note(claimed, recipient, UNCERTAIN):
            raise LeaseLost

    def delivered(self, claimed: Lease, recipient: str) -> None:
        """Note that the recipient has it."""
        self._note(claimed, recipient, DELIVERED)

    def failed(self, claimed: Lease, recipient: str) -> None:
        """Drop the note: the recipient certainly does not have it."""
        self._note(claimed, recipient, "")

    def _note(self, claimed: Lease, recipient: str, outcome: str) -> bool:
        id_, lane_id = claimed.notification_id, claimed.lane.id
        names = [keys.deliveries(id_), keys.lane_flight(lane_id)]
        return bool(self._script(keys=names, args=[id_, claimed.token, lane_id, recipient, outcome]))
