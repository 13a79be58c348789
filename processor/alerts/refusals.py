"""Why a message is refused at the door: a few stable words, for counters and conditions."""

from enum import StrEnum


class RefusalReason(StrEnum):
    """Why a message was refused; nothing of it is kept.

    ``incomplete`` and ``crowded`` say nothing about settings or senders: they are counted and begin no
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
    def is_telling(self) -> bool:
        """Whether an operator can do something about it."""
        return self not in (RefusalReason.INCOMPLETE, RefusalReason.CROWDED)
