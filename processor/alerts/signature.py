"""Authentication of messages: Standard Webhooks signatures and fixed ``Authorization`` values.

The signature is verified over the raw bytes with the standard library: the library ``standardwebhooks``
decodes the body as UTF-8 first and leaks ``ValueError``, ``binascii.Error`` and ``UnicodeDecodeError``,
while an authentic body may be any bytes. Tests compare the two where both apply.

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

TOLERANCE_S = 300
MAX_EVENT_ID_CHARS = 256
MAX_SIGNATURES_BYTES = 4_096
"""Longest signature header that is verified; one signature has 47 bytes."""

_SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix, not a secret
_BASE64 = re.compile(r"([A-Za-z0-9+/]+)={0,2}")
_SECONDS = re.compile(r"[0-9]{1,12}")
_EVENT_ID = re.compile(rf"(?!\.{{1,2}}\Z)[!-.0-\[\]-~]{{1,{MAX_EVENT_ID_CHARS}}}")
_FAMILIES = tuple(
    (f"{family}-id", f"{family}-timestamp", f"{family}-signature") for family in ("webhook", "svix")
)
_SIGNATURE_HEADERS = frozenset(name for family in _FAMILIES for name in family)


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


class AuthenticatedBy(StrEnum):
    """How a message was authenticated."""

    SIGNATURE = "signature"
    AUTHORIZATION = "authorization"


class NotAuthentic(Exception):
    """The message is not authenticated as Codat's.

    ``reason`` is a constant sentence for logs and responses, without data of the message or of a secret.
    ``refused`` is its reason in counters.
    """

    def __init__(self, reason: str, refused: RefusalReason) -> None:
        super().__init__(reason)
        self.reason = reason
        self.refused = refused


class _Signed(NamedTuple):
    """A complete family of signature headers, as octets."""

    id: bytes
    timestamp: bytes
    signatures: bytes


def decode_secret(secret: str) -> bytes:
    """The signing key in ``whsec_`` followed by base64, with or without padding.

    Raises ``ValueError``, without the secret, for any other text.
    """
    if not secret.startswith(_SECRET_PREFIX):
        raise ValueError("a signing secret starts with whsec_")
    match = _BASE64.fullmatch(secret, len(_SECRET_PREFIX))
    if match is None:
        raise ValueError("a signing secret is whsec_ followed by base64")
    digits = match.group(1)
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except binascii.Error:
        raise ValueError("a signing secret is whsec_ followed by base64") from None


class Authenticator:
    """Authenticates messages with signing secrets and ``Authorization`` values.

    Several of each are accepted, for rotations. ``stored_keys`` returns the keys that operators added; it is
    called where no configured one matches. ``tolerance_s`` is how far a signed timestamp may differ
    from ``clock`` (Unix time, s). Raises ``ValueError`` for a malformed secret or a blank authorization.
    """

    def __init__(
        self,
        *,
        secrets: Sequence[str],
        authorizations: Sequence[str],
        stored_keys: Callable[[], Sequence[bytes]] = tuple,
        tolerance_s: int = TOLERANCE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if isinstance(secrets, str) or isinstance(authorizations, str):
            raise ValueError("secrets and authorizations are sequences of strings")
        if not all(value.strip() for value in authorizations):
            raise ValueError("an accepted Authorization value must not be blank")
        self._keys = tuple(decode_secret(secret) for secret in secrets)
        self._stored_keys = stored_keys
        # A server passes header octets on as Latin-1; a setting is text. Octets above 127 may be in either
        # encoding, so both are accepted.
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
        """Authenticate a message. Raises ``NotAuthentic``, or what ``stored_keys`` raises.

        A message with any signature header must have a valid signature; its ``Authorization`` is ignored.
        """
        lowered = _lowered(headers)
        if not _SIGNATURE_HEADERS.isdisjoint(lowered):
            self._verify(_signed(lowered), body)
            return AuthenticatedBy.SIGNATURE
        self._check_authorization(lowered.get("authorization"))
        return AuthenticatedBy.AUTHORIZATION

    def _verify(self, signed: _Signed | None, body: bytes) -> None:
        if signed is None:
            raise NotAuthentic("a signature header is missing or empty", RefusalReason.SIGNATURE)
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
        entries = (entry.partition(b",") for entry in signed.signatures.split(b" "))
        signatures = [signature for version, _, signature in entries if version == b"v1"]
        if _matches(self._keys, content, signatures) or _matches(self._stored_keys(), content, signatures):
            return
        if not self._keys and not self._stored_keys():
            raise NotAuthentic(
                "the message is signed, but no signing secret is configured", RefusalReason.SIGNATURE
            )
        raise NotAuthentic("no signature matches", RefusalReason.SIGNATURE)

    def _check_authorization(self, authorization: str | None) -> None:
        if authorization is None:
            raise NotAuthentic(
                "the message carries neither a signature nor an Authorization", RefusalReason.UNSIGNED
            )
        octets = _octets(authorization)
        if not any(hmac.compare_digest(octets, accepted) for accepted in self._authorizations):
            raise NotAuthentic("the Authorization is not an accepted one", RefusalReason.AUTHORIZATION)


def event_id_of(headers: Mapping[str, str], body: bytes) -> str:
    """The id of an authenticated message: the signed id, else ``sha256-`` and the hash of the body.

    The id comes from the family of headers that ``authenticate`` has verified, so that an unsigned id cannot
    give a replayed message a new identity.

    The id becomes a Redis key and a path segment: see ``kept_id``.
    """
    signed = _signed(_lowered(headers))
    return _fingerprint(body) if signed is None else kept_id(signed.id.decode("latin-1"))


def kept_id(webhook_id: str) -> str:
    """The id under which the message with this ``webhook-id`` is kept.

    An id that is no path segment (more than 256 characters, outside visible ASCII, with a slash or
    backslash, ``.`` or ``..``) is replaced by ``sha256-`` and its hash: the message is authentic, and its
    repetitions have the same hash.
    """
    return webhook_id if _EVENT_ID.fullmatch(webhook_id) else _fingerprint(_octets(webhook_id))


def _matches(signing_keys: Sequence[bytes], content: bytes, signatures: Sequence[bytes]) -> bool:
    """Whether one of the signatures was made with one of the keys."""
    for key in signing_keys if signatures else ():
        expected = base64.b64encode(hmac.digest(key, content, "sha256"))
        if any(hmac.compare_digest(signature, expected) for signature in signatures):
            return True
    return False


def _fingerprint(octets: bytes) -> str:
    return f"sha256-{hashlib.sha256(octets).hexdigest()}"


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with names in lower case; the last of several spellings of a name counts."""
    return {name.lower(): value for name, value in headers.items()}


def _signed(lowered: Mapping[str, str]) -> _Signed | None:
    """The signature headers to verify: the first complete family, ``webhook-*`` before ``svix-*``.

    Families are never combined, and the second never replaces an invalid first one, so no part of a captured
    message can be exchanged.
    """
    for family in _FAMILIES:
        message_id, timestamp, signatures = map(lowered.get, family)
        if message_id and timestamp and signatures:
            return _Signed(_octets(message_id), _octets(timestamp), _octets(signatures))
    return None


def _octets(value: str) -> bytes:
    """The octets of a header as sent: servers pass them on as Latin-1, tests may use more characters."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")
