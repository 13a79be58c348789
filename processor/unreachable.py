"""Why a server could not be reached, in words: never its address, which may hold a password."""

import os
import socket
import ssl
from collections.abc import Iterator

HOSTNAME_MISMATCH = 62
ADDRESS_MISMATCH = 64
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH: texts with the address."""


def why(error: BaseException) -> str | None:
    """What the operating system or TLS said, found among the causes of ``error``; ``None`` if nothing."""
    for cause in _causes(error):
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


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _distrust(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in (HOSTNAME_MISMATCH, ADDRESS_MISMATCH):
        return "it is for another name"
    return str(error.verify_message)
