"""Signing secrets that operators add while the service runs, beside CODAT_WEBHOOK_SECRETS (decision 55).

They are stored encrypted, as subscribers' secrets are. Each process that verifies messages reads them when
no configured secret matches, at most once in ``REFRESH_S``; a removed one is refused everywhere after that.
"""

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis, RedisError

from processor.alerts.signature import decode_secret
from processor.clock import to_iso, utc_now
from processor.errors import Conflict, Invalid, NotFound, StoreUnavailable
from processor.store import keys
from processor.store.decoding import text_fields
from processor.store.encryption import decrypt, encrypt

REFRESH_S = 1.0
MOST_SECRETS = 10
LONGEST_SECRET = 512
SHORTEST_KEY = 16
"""Bytes of a signing key; a shorter one can be guessed."""


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """What is shown of a secret. ``added_at`` is ``None`` where no key of ENCRYPTION_KEYS decrypts it,
    or it is damaged.
    """

    id: str
    added_at: str | None
    added_by: str


class WebhookSecrets:
    """Adds, lists and removes secrets, and has their keys. ``configured`` is CODAT_WEBHOOK_SECRETS.

    Every method but ``signing_keys`` raises ``redis.RedisError``.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        configured: Sequence[str],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._monotonic = client, monotonic
        self._configured = {decode_secret(secret) for secret in configured}
        self._keys: tuple[bytes, ...] | None = None
        self._read_at: float | None = None

    def signing_keys(self) -> Sequence[bytes]:
        """The keys, as read within the last second; while Redis is away those that were read last.

        Raises ``StoreUnavailable`` if they were never read: whether a message is authentic cannot be said.
        """
        now = self._monotonic()
        if self._read_at is None or now - self._read_at >= REFRESH_S:
            self._read_at = now
            with contextlib.suppress(RedisError):  # nothing is accepted without Redis
                self._keys = tuple(_keys_of(self._rows()))
        if self._keys is None:  # also for others while the first read is under way
            raise StoreUnavailable()
        return self._keys

    def add(self, secret: str, *, by: str) -> StoredSecret:
        """Accept messages that are signed with this secret. Raises ``Invalid`` and ``Conflict``."""
        key = _checked(secret.strip())
        rows = self._rows()
        if key in self._configured | set(_keys_of(rows)):
            raise Conflict("This secret is accepted already.")
        if len(rows) >= MOST_SECRETS:
            raise Conflict(f"There are {MOST_SECRETS} secrets already; remove one first.")
        id_ = f"whs_{secrets.token_hex(6)}"
        row = {"secret": secret.strip(), "added_at": to_iso(utc_now()), "added_by": by}
        self._client.hset(keys.webhook_secrets(), id_, encrypt(json.dumps(row)))
        self._read_at = None
        return StoredSecret(id_, row["added_at"], by)

    def remove(self, id_: str) -> None:
        """Refuse what is signed with this secret. Raises ``NotFound``."""
        if not self._client.hdel(keys.webhook_secrets(), id_):
            raise NotFound("There is no signing secret with this id.")
        self._read_at = None

    def all(self) -> list[StoredSecret]:
        """What was added, the oldest first."""
        stored = (
            StoredSecret(id_, row["added_at"], row["added_by"]) if row else StoredSecret(id_, None, "")
            for id_, row in self._rows().items()
        )
        return sorted(stored, key=lambda secret: secret.added_at or "")

    def _rows(self) -> dict[str, dict[str, str] | None]:
        """Rows by id; ``None`` for one that is damaged, or that no key of ENCRYPTION_KEYS decrypts."""
        rows: dict[str, dict[str, str] | None] = {}
        for id_, value in text_fields(self._client.hgetall(keys.webhook_secrets())).items():
            try:
                row = json.loads(decrypt(value))
                decode_secret(row["secret"])
                rows[id_] = {name: str(row[name]) for name in ("secret", "added_at", "added_by")}
            except (ValueError, LookupError, TypeError, AttributeError):  # KeyMissing is a ValueError
                rows[id_] = None
        return rows


def _keys_of(rows: Mapping[str, Mapping[str, str] | None]) -> Iterator[bytes]:
    """The signing keys of the rows that can be read."""
    return (decode_secret(row["secret"]) for row in rows.values() if row)


def _checked(secret: str) -> bytes:
    """The key of a secret. Raises ``Invalid``, without the secret."""
    try:
        key = decode_secret(secret) if len(secret) <= LONGEST_SECRET else b""
    except ValueError:
        key = b""
    if len(key) < SHORTEST_KEY:
        raise Invalid(errors={"secret": [f"whsec_ followed by base64 of {SHORTEST_KEY} bytes or more."]})
    return key
