"""API keys: those of API_KEYS, and named ones that are made and revoked while the service runs.

Of a made key only the digest is stored; the key itself is shown once.
"""

import json
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis

from processor.clock import to_iso, utc_now
from processor.errors import Conflict, Invalid, NotFound
from processor.settings.people import ApiKey, Scope, api_key_of, digest_of, is_name, scopes_of
from processor.store import keys
from processor.store.decoding import text

KEY_PREFIX = "cpk_"
_KEY_BYTES = 32
MAX_KEYS = 200
LONGEST_KEY = 1_024


@dataclass(frozen=True, slots=True)
class StoredApiKey:
    """A key that was made while the service ran."""

    key: ApiKey
    created_at: str


class ApiKeys:
    """Finds, makes and revokes keys. ``entries`` is API_KEYS."""

    def __init__(
        self, client: "Redis[Any]", entries: Iterable[str], *, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._client, self._clock = client, clock
        self._configured = [api_key_of(entry, number) for number, entry in enumerate(entries, 1)]

    def find(self, key: str) -> ApiKey | None:
        """The key that a caller sent, or ``None``. Raises ``redis.RedisError`` for one not in API_KEYS."""
        matches = [configured for configured in self._configured if configured.matches(key)]
        if matches:
            return matches[0]
        if not key.startswith(KEY_PREFIX) or len(key) > LONGEST_KEY:
            return None
        digest = digest_of(key)
        row = self._client.hget(keys.api_keys(), digest)
        return None if row is None else _stored(digest, row).key

    def exist(self) -> bool:
        """Whether there is any key. Raises ``redis.RedisError`` without API_KEYS."""
        return bool(self._configured) or bool(self._client.exists(keys.api_keys()))

    def stored(self) -> list[StoredApiKey]:
        """The keys that were made, the oldest first. Raises ``redis.RedisError``."""
        rows = self._client.hgetall(keys.api_keys())
        return sorted(
            (_stored(text(digest), row) for digest, row in rows.items()), key=lambda row: row.created_at
        )

    def add(self, name: str, scopes: Iterable[str]) -> tuple[StoredApiKey, str]:
        """A new key and its text, which is not kept.

        Raises ``Invalid``, ``Conflict`` and ``redis.RedisError``.
        """
        words = sorted(set(scopes))
        if not is_name(name):
            raise Invalid(errors={"name": ["Letters, digits and . _ @ + - alone, 64 at most."]})
        if not words or not set(words) <= set(Scope):
            raise Invalid(errors={"scopes": [f"One or more of {', '.join(Scope)}."]})
        stored = self.stored()
        if name in {key.name for key in self._configured} | {row.key.name for row in stored}:
            raise Conflict("There is a key of this name already.")
        if len(stored) >= MAX_KEYS:
            raise Conflict(f"There are {MAX_KEYS} keys already; revoke one first.")
        key = KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)
        digest, created_at = digest_of(key), to_iso(self._clock())
        row = json.dumps({"name": name, "scopes": "+".join(words), "created_at": created_at})
        self._client.hset(keys.api_keys(), digest, row)
        return StoredApiKey(ApiKey(name, scopes_of("+".join(words)), digest), created_at), key

    def revoke(self, name: str) -> None:
        """End a made key at once. Raises ``NotFound``, ``Conflict`` and ``redis.RedisError``."""
        digests = [row.key.digest for row in self.stored() if row.key.name == name]
        if not digests:
            if name in {key.name for key in self._configured}:
                raise Conflict("This key is in API_KEYS: remove it there and start the service again.")
            raise NotFound("There is no key of this name.")
        self._client.hdel(keys.api_keys(), *digests)

    def rows(self) -> list[dict[str, Any]]:
        """Every key as lists show it. Raises ``redis.RedisError``."""
        return [
            *(_row(key, None) for key in self._configured),
            *(_row(stored.key, stored.created_at) for stored in self.stored()),
        ]


def _stored(digest: str, row: bytes) -> StoredApiKey:
    fields = json.loads(row)
    return StoredApiKey(ApiKey(fields["name"], scopes_of(fields["scopes"]), digest), fields["created_at"])


def _row(key: ApiKey, created_at: str | None) -> dict[str, Any]:
    scopes = [scope.value for scope in Scope if scope in key.scopes]
    return {
        "name": key.name,
        "scopes": scopes,
        "source": "made" if created_at else "API_KEYS",
        "created_at": created_at,
    }
