"""Log of sends by recipient: a retry leaves out recipients that have, or may have, the delivery.

E-mail and chat need it, where a receiver cannot recognise a copy. An entry is written with the delivery just
before the send; if the process dies during the send, the entry remains ``uncertain``.
"""

from typing import Any

from redis import Redis

from processor.delivery.lane import Lease
from processor.delivery.scripts import register
from processor.store import keys
from processor.store.decoding import fields_with_prefix, text_fields

DELIVERED = "delivered"
UNCERTAIN = "uncertain"


class LeaseLost(Exception):
    """Another process holds the lease now; nothing was sent."""


class SendLog:
    """Entries by recipient: any name without a space. Raises ``redis.RedisError``."""

    def __init__(self, client: "Redis[Any]") -> None:
        self._client = client
        self._script = register(client, "log_send")

    def outcomes(self, lease: Lease) -> dict[str, str]:
        """``delivered`` or ``uncertain`` for each recipient of an earlier send."""
        fields = text_fields(self._client.hgetall(keys.deliveries(lease.cell, lease.notification_id)))
        return dict(fields_with_prefix(fields, f"{lease.lane.id}:sent:"))

    def begin(self, lease: Lease, recipient: str) -> None:
        """Log that an irrevocable send begins; raises :class:`LeaseLost`."""
        if not self._write(lease, recipient, UNCERTAIN):
            raise LeaseLost

    def delivered(self, lease: Lease, recipient: str) -> None:
        """Log that the recipient has the delivery."""
        self._write(lease, recipient, DELIVERED)

    def failed(self, lease: Lease, recipient: str) -> None:
        """Delete the entry: the recipient certainly does not have the delivery."""
        self._write(lease, recipient, "")

    def _write(self, lease: Lease, recipient: str, outcome: str) -> bool:
        id_, lane_id = lease.notification_id, lease.lane.id
        return bool(
            self._script(
                keys=[keys.deliveries(lease.cell, id_), keys.lane_flight(lease.cell, lane_id)],
                args=[id_, lease.token, lane_id, recipient, outcome],
            )
        )
