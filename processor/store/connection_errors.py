"""Reasons why a server could not be reached, without its address, which may contain a password."""

import os
import socket
import ssl
from collections.abc import Iterator

from redis import AuthenticationError, BusyLoadingError, ResponseError
from redis import ConnectionError as RedisConnectionError
from redis.exceptions import AskError

from processor.store.sentinel import PrimaryUnknown

HOSTNAME_MISMATCH = 62
ADDRESS_MISMATCH = 64
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH; their texts contain the address."""

MAX_MESSAGE_CHARS = 200
"""Characters of an error message of Redis that are repeated."""

REFUSALS = (ResponseError, AuthenticationError, BusyLoadingError)
"""Error responses of Redis; other errors of the library concern the connection."""

UNBLOCKED = "UNBLOCKED"
"""Error of a blocked read when Redis becomes a replica; later commands may succeed."""

TOO_MANY = "max number of clients reached"
"""Error before Redis closes a surplus connection; the library reports a broken connection."""


def connection_error_reason(error: BaseException) -> str | None:
    """The reason from Redis, the system or TLS among the causes of ``error``; ``None`` without one."""
    for cause in _causes(error):
        if isinstance(cause, REFUSALS):
            return _redis_message(cause)
        if isinstance(cause, RedisConnectionError) and TOO_MANY in str(cause):
            return TOO_MANY
        if isinstance(cause, PrimaryUnknown):
            return str(cause)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {_certificate_fault(cause)}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {(cause.reason or 'no reason given').replace('_', ' ').lower()}"
        if isinstance(cause, socket.gaierror):
            return "its name is not found"
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused: nothing listens there"
        if isinstance(cause, FileNotFoundError):
            return "there is no such file or socket"
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno)
    return None


def is_unblocked(error: BaseException) -> bool:
    """Whether Redis ended a blocked read because its role changed."""
    return isinstance(error, ResponseError) and str(error).startswith(UNBLOCKED)


def _redis_message(refusal: BaseException) -> str:
    """The error message of Redis without the command and the script."""
    if isinstance(refusal, AskError):
        return "another node of the cluster has this key now"
    text = str(refusal).rpartition(" caused error: ")[2].partition(" script: ")[0]
    status = getattr(refusal, "status_code", None)
    if status and status != "ERR" and not text.startswith(status):
        text = f"{status} {text}"
    return text[:MAX_MESSAGE_CHARS].rstrip(" .,")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _certificate_fault(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in (HOSTNAME_MISMATCH, ADDRESS_MISMATCH):
        return "it is for another name"
    return str(error.verify_message)
