"""Why a message is refused at the door: a few stable words, for counters and conditions."""

from enum import StrEnum


class Refused(StrEnum):
    """Why a message was refused; nothing of it is kept."""

    SIGNATURE = "signature"
    TIMESTAMP = "timestamp"
    AUTHORIZATION = "authorization"
    UNSIGNED = "unsigned"
    CLIENT_ID = "client_id"
    ADDRESS = "address"
    TOO_LARGE = "too_large"
