"""Whether a message was sent by Codat: Standard Webhooks signatures and fixed ``Authorization`` values.

The signature is verified here over the raw bytes, with the standard library: the
library ``standardwebhooks`` decodes the body as UTF-8 first and leaks ``ValueError``,
``binascii.Error`` and ``UnicodeDecodeError``, while an authentic body may be anything.
The tests prove that the two agree wherever both can judge.

Sources: https://www.standardwebhooks.com and
https://docs.codat.io/using-the-api/webhooks/overview
"""

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from processor.alerts.refusals import RefusalReason

TOLERANCE_S = 300
MAX_EVENT_ID_CHARS = 256
MAX_SIGNATURES_BYTES = 4_096
"""Longest signature header that is looked at; one signature has 47 bytes."""

_SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix, not a secret
_BASE64 = re.compile(r"([A-Za-z0-9+/]+)={0,2}")
_SECONDS = re.compile(r"[0-9]{1,12}")
_EVENT_ID = re.compile(rf"(?!\.{{1,2}}\Z)[!-.0-\[\]-~]{{1,{MAX_EVENT_ID_CHARS}}}")
_FAMILIES = ("webhook-", "svix-")
_PARTS = ("id", "timestamp", "signature")
_SIGNATURE_HEADERS = frozenset(family + part for family in _FAMILIES for part in _PARTS)


class AuthenticatedBy(StrEnum):
    """What proved a message authentic."""

    SIGNATURE = "signature"
    AUTHORIZATION = "authorization"


class NotAuthentic(Exception):
    """The message is not proven to be Codat's.

    ``reason`` is a constant sentence for logs and answers; it holds nothing of the
    message and nothing of a secret. ``refused`` is the word for it in counters.
    """

    def __init__(self, reason: str, refused: RefusalReason) -> None:
        super().__init__(reason)
        self.reason = reason
        self.refused = refused


class _Signed(NamedTuple):
    """One complete family of signature headers, as octets."""

    id: bytes
    timestamp: bytes
    signatures: bytes


def decode_secret(secret: str) -> bytes:
    """The signing key behind ``whsec_`` and base64 (with or without its padding).

    Raises ``ValueError``, which never shows the secret, for anything else.
    """
    if not secret.startswith(_SECRET_PREFIX):
        raise ValueError("a signing secret starts with whsec_")
    found = _BASE64.fullmatch(secret, len(_SECRET_PREFIX))
    if found is None:
        raise ValueError("a signing secret is whsec_ followed by base64")
    digits = found.group(1)
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except binascii.Error:
        raise ValueError("a signing secret is whsec_ followed by base64") from None


class Authenticator:
    """Judges messages by the signing secrets and ``Authorization`` values that it was given.

    Several of each are accepted, as during a rotation. ``tolerance_s`` is how far a
    signed timestamp may lie from ``clock`` (seconds since 1970), either way.
    Raises ``ValueError`` for a malformed secret or a blank authorization.
    """

    def __init__(
        self,
        *,
        secrets: Sequence[str],
        authorizations: Sequence[str],
        tolerance_s: int = TOLERANCE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if isinstance(secrets, str) or isinstance(authorizations, str):
            raise ValueError("secrets and authorizations are sequences of strings")
        if not all(value.strip() for value in authorizations):
            raise ValueError("an accepted Authorization value must not be blank")
        self._keys = tuple(decode_secret(secret) for secret in secrets)
        # A server hands over header octets as Latin-1; a setting is text. Octets above 127 may have
        # been sent in either encoding, so both spellings of such a value are accepted.
        self._authorizations = tuple(
            dict.fromkeys(
                octets
                for value in authorizations
                for octets in (_octets(value), value.encode("utf-8", "surrogatepass"))
            )
        )
        self._tolerance_s = tolerance_s
        self._clock = clock

    def authenticate(self, headers: Mapping[str, str], body: bytes) -> AuthenticatedBy:
        """What proves that Codat sent exactly these bytes.

        One signature header of either family is the claim to be signed; such a message
        stands or falls by its signature, whatever ``Authorization`` it carries.
        Raises ``NotAuthentic`` and nothing else.
        """
        lowered = _lowered(headers)
        if not _SIGNATURE_HEADERS.isdisjoint(lowered):
            self._verify(_signed(lowered), body)
            return AuthenticatedBy.SIGNATURE
        self._compare(lowered.get("authorization"))
        return AuthenticatedBy.AUTHORIZATION

    def _verify(self, signed: _Signed | None, body: bytes) -> None:
        if signed is None:
            raise NotAuthentic("a signature header is missing or empty", RefusalReason.SIGNATURE)
        if not self._keys:
            raise NotAuthentic(
                "the message is signed, but no signing secret is configured", RefusalReason.SIGNATURE
            )
        if len(signed.signatures) > MAX_SIGNATURES_BYTES:
            raise NotAuthentic("the signature header is too long", RefusalReason.SIGNATURE)
        timestamp = signed.timestamp.decode("latin-1")
        if _SECONDS.fullmatch(timestamp) is None:
            raise NotAuthentic(
                "the signed timestamp is not a whole number of seconds", RefusalReason.TIMESTAMP
            )
        if abs(int(timestamp) - self._clock()) > self._tolerance_s:
            raise NotAuthentic("the signed timestamp is too far from our time", RefusalReason.TIMESTAMP)
        content = b".".join((signed.id, signed.timestamp, body))
        expected = [base64.b64encode(hmac.digest(key, content, hashlib.sha256)) for key in self._keys]
        for entry in signed.signatures.split(b" "):
            version, _, signature = entry.partition(b",")
            if version == b"v1" and any(hmac.compare_digest(signature, right) for right in expected):
                return
        raise NotAuthentic("no signature matches", RefusalReason.SIGNATURE)

    def _compare(self, authorization: str | None) -> None:
        if authorization is None:
            raise NotAuthentic(
                "the message carries neither a signature nor an Authorization", RefusalReason.UNSIGNED
            )
        given = _octets(authorization)
        if not any(hmac.compare_digest(given, accepted) for accepted in self._authorizations):
            raise NotAuthentic("the Authorization is not an accepted one", RefusalReason.AUTHORIZATION)


def event_id_of(headers: Mapping[str, str], body: bytes) -> str:
    """The identity of an authenticated message: the id that was signed, else ``sha256-`` and the body's hash.

    The id comes from the very family of headers that ``authenticate`` verified, so
    that an unsigned id beside it cannot give a replayed message a new identity.

    The id becomes a Redis key and a segment of an address. One that cannot be such a
    segment (longer than 256 characters, outside visible ASCII, holding a slash or a
    backslash, or ``.`` and ``..``) is replaced by ``sha256-`` and the id's own hash: the message
    is authentic, so it is kept, and its repetitions are still recognised.
    """
    signed = _signed(_lowered(headers))
    if signed is None:
        return _fingerprint(body)
    name = signed.id.decode("latin-1")
    return name if _EVENT_ID.fullmatch(name) else _fingerprint(signed.id)


def _fingerprint(octets: bytes) -> str:
    return f"sha256-{hashlib.sha256(octets).hexdigest()}"


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers under lower-case names; of several spellings of one name the last counts."""
    return {name.lower(): value for name, value in headers.items()}


def _signed(lowered: Mapping[str, str]) -> _Signed | None:
    """The signature headers to judge by: the first complete family, ``webhook-*`` before ``svix-*``.

    Families are never combined and a wrong one is not rescued by the other, so
    whoever forwards a captured message cannot exchange a part of it.
    """
    for family in _FAMILIES:
        values = [lowered.get(family + part) for part in _PARTS]
        octets = [_octets(value) for value in values if value]
        if len(octets) == len(_PARTS):
            return _Signed(*octets)
    return None


def _octets(value: str) -> bytes:
    """A header's octets as they were sent: servers pass them on as Latin-1, tests may pass on more."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")
