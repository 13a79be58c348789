"""The catalogue of platforms in Redis, shared by all processes."""

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import msgspec
from redis import Redis, RedisError
from redis.lock import Lock

from processor.journey.catalogue import Catalogue
from processor.settings.definitions import Settings
from processor.store import keys

KEPT_S = 30 * 86_400
"""Lifetime of the catalogue in Redis, in seconds: it is served that long while Codat is down."""

REFRESH_LOCK_S = 300
"""Time after which another process may begin to read the catalogue, in seconds."""

ON_PREMISE_FRESH_S = 60.0
"""How long a process keeps the on-premise platforms in memory, in seconds."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Catalogue).decode


def account_digest(base_url: str, api_key: str) -> str:
    """A name of the Codat account that reveals neither the address nor the key."""
    return hashlib.sha256(f"{base_url}\n{api_key}".encode()).hexdigest()[:24]


class PlatformCache:
    """Stores the catalogue of one Codat account; every method may raise ``redis.RedisError``."""

    def __init__(self, client: "Redis[Any]", account: str) -> None:
        self._client, self._account = client, account

    def get(self) -> Catalogue | None:
        """The stored catalogue; ``None`` without one, or when it was written in another format."""
        raw = self._client.get(keys.platforms(self._account))
        if raw is None:
            return None
        with suppress(ValueError):
            return _decode(raw)
        return None

    def put(self, catalogue: Catalogue) -> None:
        """Replace the stored catalogue."""
        self._client.set(keys.platforms(self._account), _encode(catalogue), ex=KEPT_S)

    @contextmanager
    def refresh_lock(self) -> Iterator[bool]:
        """Whether this caller holds the lock to read from Codat; false while another process holds it."""
        lock = Lock(self._client, keys.reading_platforms(self._account), timeout=REFRESH_LOCK_S)
        if not lock.acquire(blocking=False):
            yield False
            return
        try:
            yield True
        finally:
            with suppress(RedisError):  # the lock expires
                lock.release()


class OnPremisePlatforms:
    """Which platforms are software on the customer's computer, read again after ``ON_PREMISE_FRESH_S``."""

    def __init__(self, cache: PlatformCache | None) -> None:
        self._cache = cache
        self._on_premise: Mapping[str, bool] = {}
        self._refresh_at = float("-inf")

    def __call__(self) -> Mapping[str, bool]:
        """Whether each platform is on-premise, by key; empty without a catalogue. Raises ``RedisError``."""
        if self._cache is not None and time.monotonic() >= self._refresh_at:
            catalogue = self._cache.get()
            platforms = catalogue.platforms if catalogue else ()
            self._on_premise = {platform.key: platform.is_on_premise for platform in platforms}
            self._refresh_at = time.monotonic() + ON_PREMISE_FRESH_S
        return self._on_premise


def platform_cache_of(client: "Redis[Any]", settings: Settings) -> PlatformCache | None:
    """The cache of the Codat account in the settings; ``None`` without CODAT_API_KEY."""
    if settings.codat_api_key is None:
        return None
    return PlatformCache(client, account_digest(settings.codat_api_url, settings.codat_api_key))
