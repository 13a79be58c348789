"""Why a server could not be reached, in words: never its address, which may hold a password."""

import os
import socket
import ssl
from collections.abc import Iterator

from redis import AuthenticationError, BusyLoadingError, ResponseError
from redis import ConnectionError as RedisConnectionError

HOSTNAME_MISMATCH = 62
ADDRESS_MISMATCH = 64
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH: texts with the address."""

MOST_WORDS = 200
"""Characters of what Redis said that are repeated."""

REFUSALS = (ResponseError, AuthenticationError, BusyLoadingError)
"""What Redis answers where it refuses; other errors of the library are about the connection."""

UNBLOCKED = "UNBLOCKED"
"""How Redis ends a blocked read when it becomes a replica: the read, not the server, is over."""

TOO_MANY = "max number of clients reached"
"""What Redis says before it closes a connection that is one too many; for the library, a broken one."""


def connection_error_reason(error: BaseException) -> str | None:
    """What Redis, the system or TLS said, found among the causes of ``error``; ``None`` if nothing."""
    for cause in _causes(error):
        if isinstance(cause, REFUSALS):
            return _words(cause)
        if isinstance(cause, RedisConnectionError) and TOO_MANY in str(cause):
            return TOO_MANY
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {_distrust(cause)}"
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
    """Whether Redis ended a blocked read, which says nothing about the next command."""
    return isinstance(error, ResponseError) and str(error).startswith(UNBLOCKED)


def _words(refusal: BaseException) -> str:
    """Redis's own words, without the command and the script that they are about."""
    text = str(refusal).rpartition(" caused error: ")[2].partition(" script: ")[0]
    status = getattr(refusal, "status_code", None)
    if status and status != "ERR" and not text.startswith(status):
        text = f"{status} {text}"
    return text[:MOST_WORDS].rstrip(" .,")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _distrust(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in (HOSTNAME_MISMATCH, ADDRESS_MISMATCH):
        return "it is for another name"
    return str(error.verify_message)
