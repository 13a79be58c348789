"""Certificates of an authority of the tests' own, made anew in each run."""

import ssl
from functools import cache

import trustme

NAMES = {"hook": ("hook.test", "localhost"), "other": ("other.test",)}


@cache
def _authority() -> trustme.CA:
    return trustme.CA()


def trusting() -> ssl.SSLContext:
    """What a client needs that trusts our authority and nobody else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _authority().configure_trust(context)
    return context


@cache
def serving_as(name: str) -> ssl.SSLContext:
    """What a server needs: ``hook`` (for hook.test and localhost) or ``other`` (for other.test)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _authority().issue_cert(*NAMES[name]).configure_cert(context)
    return context
