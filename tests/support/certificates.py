"""Certificates of an authority of the tests' own; they expire a hundred years from now.

``hook.pem`` is for hook.test and localhost, ``other.pem`` for other.test.
"""

import ssl
from pathlib import Path

FOLDER = Path(__file__).parent / "tls"


def trusting() -> ssl.SSLContext:
    """What a client needs that trusts our authority and nobody else."""
    return ssl.create_default_context(cafile=FOLDER / "ca.pem")


def serving_as(name: str) -> ssl.SSLContext:
    """What a server needs: ``hook`` or ``other``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FOLDER / f"{name}.pem")
    return context
