"""Reasons for refusing a message: stable words for counters and conditions."""

from enum import StrEnum


class RefusalReason(StrEnum):
    """Why a message was refused; a refused message is not stored.

    ``incomplete`` and ``crowded`` have no cause in settings or senders: they are counted and raise no
    condition.
    """

    SIGNATURE = "signature"
    TIMESTAMP = "timestamp"
    AUTHORIZATION = "authorization"
    UNSIGNED = "unsigned"
    CLIENT_ID = "client_id"
    ADDRESS = "address"
    TOO_LARGE = "too_large"
    HEADERS = "headers"
    INCOMPLETE = "incomplete"
    CROWDED = "crowded"

    @property
    def is_actionable(self) -> bool:
        """Whether an operator can do something about it."""
        return self not in (RefusalReason.INCOMPLETE, RefusalReason.CROWDED)
