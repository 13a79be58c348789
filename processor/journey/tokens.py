"""Links of the journey: each is signed, for one company, and works for a day or as long as it says."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer

from processor.journey.errors import TokenExpired, TokenInvalid

LIFETIME_S = 24 * 3600
"""How long a link works that says nothing else, in seconds."""

LONGEST_TOKEN = 1_000
_SALT = "codat-processor connect"


@dataclass(frozen=True, slots=True)
class LinkClaims:
    """What the token of a link says: the only company that it is for, and when it stops working."""

    company_id: str
    expires_at: datetime


class Tokens:
    """Makes and reads the tokens in the links of the journey.

    ``keys`` gives the signing keys, of which the first signs and all are accepted: taking one out revokes
    what it signed. ``clock`` is ours, in seconds since 1970.
    """

    def __init__(self, keys: Callable[[], Sequence[str]], *, clock: Callable[[], float] = time.time) -> None:
        self._keys, self._clock = keys, clock

    def make(self, company_id: str, *, lifetime_s: int = LIFETIME_S) -> str:
        """A token for this company, from now on."""
        claims: object = company_id if lifetime_s == LIFETIME_S else [company_id, lifetime_s]
        made = self._serializer().dumps(claims)
        return made if isinstance(made, str) else made.decode()

    def read(self, token: str) -> str:
        """The company that ``token`` is for; raises as ``claims`` does."""
        return self.claims(token).company_id

    def claims(self, token: str) -> LinkClaims:
        """What ``token`` says.

        Raises :class:`TokenExpired`, which knows what it said, or :class:`TokenInvalid`.
        """
        if not token.isascii() or len(token) > LONGEST_TOKEN:
            raise TokenInvalid()
        try:
            claims, made_at = self._serializer().loads(token, return_timestamp=True)
        except BadData as error:
            raise TokenInvalid() from error
        found = _claims(claims, made_at)
        if self._clock() > found.expires_at.timestamp():
            raise TokenExpired(found.company_id)
        return found

    def _serializer(self) -> URLSafeTimedSerializer:
        clock = self._clock

        class Signer(TimestampSigner):
            """Signs with the injected clock."""

            def get_timestamp(self) -> int:
                return int(clock())

        return URLSafeTimedSerializer(
            list(reversed(self._keys())),
            salt=_SALT,
            signer=Signer,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )


def _claims(claims: object, made_at: datetime) -> LinkClaims:
    if isinstance(claims, str):
        claims = [claims, LIFETIME_S]
    match claims:
        case [str(company_id), int(lifetime_s)] if company_id:
            return LinkClaims(company_id, made_at + timedelta(seconds=lifetime_s))
    raise TokenInvalid()
