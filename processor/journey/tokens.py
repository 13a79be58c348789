"""Signed tokens of the journey's links; each names one company and works for a limited time."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer

from processor.journey.errors import TokenExpired, TokenInvalid

LIFETIME_S = 24 * 3600
"""Default lifetime of a link, in seconds."""

LONGEST_TOKEN = 1_000
_SALT = "codat-processor connect"


@dataclass(frozen=True, slots=True)
class LinkClaims:
    """The content of a token: the company it gives access to, and when it stops working.

    It works only while ``generation`` is that of the company's links. ``holder`` says for whom it was made,
    where that is somebody else than the company.
    """

    company_id: str
    expires_at: datetime
    generation: int = 0
    holder: str = ""


class Tokens:
    """Signs and verifies the tokens in the journey's links.

    ``keys`` returns the signing keys: the first signs, all verify. Removing a key revokes the tokens that it
    signed. ``clock`` returns seconds since 1970. Tokens of one ``salt`` do not verify under another.
    """

    def __init__(
        self, keys: Callable[[], Sequence[str]], *, clock: Callable[[], float], salt: str = _SALT
    ) -> None:
        self._keys, self._clock, self._salt = keys, clock, salt

    def make(
        self, company_id: str, *, lifetime_s: int = LIFETIME_S, generation: int = 0, holder: str = ""
    ) -> str:
        """A token for this company, valid for ``lifetime_s`` seconds from now."""
        claims: object = company_id if lifetime_s == LIFETIME_S else [company_id, lifetime_s]
        if generation:
            claims = [company_id, lifetime_s, generation]
        if holder:
            claims = [company_id, lifetime_s, generation, holder]
        token = self._serializer().dumps(claims)
        return token if isinstance(token, str) else token.decode()

    def claims(self, token: str) -> LinkClaims:
        """The claims of ``token``; raises :class:`TokenInvalid` or :class:`TokenExpired`."""
        if not token.isascii() or len(token) > LONGEST_TOKEN:
            raise TokenInvalid()
        try:
            payload, signed_at = self._serializer().loads(token, return_timestamp=True)
        except BadData as error:
            raise TokenInvalid() from error
        claims = _claims_of(payload, signed_at)
        if self._clock() > claims.expires_at.timestamp():
            raise TokenExpired(claims.company_id, claims.generation, claims.holder)
        return claims

    def _serializer(self) -> URLSafeTimedSerializer:
        clock = self._clock

        class Signer(TimestampSigner):
            """Signs with the injected clock."""

            def get_timestamp(self) -> int:
                return int(clock())

        return URLSafeTimedSerializer(
            list(reversed(self._keys())),
            salt=self._salt,
            signer=Signer,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )


def _claims_of(payload: object, signed_at: datetime) -> LinkClaims:
    if isinstance(payload, str):
        payload = [payload, LIFETIME_S]
    match payload:
        case [str(company_id), int(lifetime_s)] if company_id:
            return LinkClaims(company_id, signed_at + timedelta(seconds=lifetime_s))
        case [str(company_id), int(lifetime_s), int(generation)] if company_id:
            return LinkClaims(company_id, signed_at + timedelta(seconds=lifetime_s), generation)
        case [str(company_id), int(lifetime_s), int(generation), str(holder)] if company_id:
            return LinkClaims(company_id, signed_at + timedelta(seconds=lifetime_s), generation, holder)
    raise TokenInvalid()
