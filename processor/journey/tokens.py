"""Links of the journey: each is signed, for one company, and works for a day."""

import hashlib
import time
from collections.abc import Callable, Sequence

from itsdangerous import BadData, SignatureExpired, TimestampSigner, URLSafeTimedSerializer

from processor.journey.errors import TokenExpired, TokenInvalid

LIFETIME_S = 24 * 3600
"""How long a link works, in seconds."""

LONGEST_TOKEN = 1_000
_SALT = "codat-processor connect"


class Tokens:
    """Makes and reads the tokens in the links of the journey.

    ``keys`` gives the signing keys, of which the first signs and all are accepted: taking one out revokes
    what it signed. ``clock`` is ours, in seconds since 1970.
    """

    def __init__(
        self,
        keys: Callable[[], Sequence[str]],
        *,
        lifetime_s: int = LIFETIME_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys, self._lifetime_s, self._clock = keys, lifetime_s, clock

    def make(self, company_id: str) -> str:
        """A token for this company, from now on."""
        made = self._serializer().dumps(company_id)
        return made if isinstance(made, str) else made.decode()

    def read(self, token: str) -> str:
        """The company that ``token`` is for; raises :class:`TokenExpired` or :class:`TokenInvalid`."""
        if not token.isascii() or len(token) > LONGEST_TOKEN:
            raise TokenInvalid()
        serializer = self._serializer()
        try:
            company_id = serializer.loads(token, max_age=self._lifetime_s)
        except SignatureExpired as error:
            raise TokenExpired() from error
        except BadData as error:
            raise TokenInvalid() from error
        if not isinstance(company_id, str) or not company_id:
            raise TokenInvalid()
        return company_id

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
