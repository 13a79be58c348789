"""The platforms as they are kept in Redis, shared by all processes."""

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from redis import Redis, RedisError
from redis.lock import Lock

from processor.clock import from_iso, to_iso
from processor.journey.catalogue import Catalogue
from processor.journey.models import PlatformView
from processor.settings.definitions import Settings
from processor.store import keys

VERSION = 1
KEPT_S = 30 * 86_400
"""How long what was read last is served while Codat is down, in seconds."""

READING_S = 300
"""How long reading them may take, with their pictures, before somebody else may begin, in seconds."""

FRESH_S = 60.0
"""How long a process goes by what it knows of on-premise platforms, in seconds."""

_FIELDS = frozenset(field.name for field in dataclasses.fields(PlatformView))


def account_of(base_url: str, api_key: str) -> str:
    """A name for a Codat account at an address that betrays neither."""
    return hashlib.sha256(f"{base_url}\n{api_key}".encode()).hexdigest()[:24]


class PlatformCache:
    """Keeps the catalogue of one account; every method raises ``redis.RedisError`` without Redis."""

    def __init__(self, client: "Redis[Any]", account: str) -> None:
        self._client, self._account = client, account

    def get(self) -> Catalogue | None:
        """What is kept; ``None`` where nothing is, or another version of this service wrote it."""
        raw = self._client.get(keys.platforms(self._account))
        if raw is None:
            return None
        with suppress(ValueError, TypeError, LookupError, AttributeError):
            return _load(json.loads(raw))
        return None

    def put(self, catalogue: Catalogue) -> None:
        """Keep it instead of what was kept."""
        self._client.set(keys.platforms(self._account), json.dumps(_dump(catalogue)), ex=KEPT_S)

    @contextmanager
    def reading(self) -> Iterator[bool]:
        """Be the only one that reads from Codat; false where somebody else does."""
        lock = Lock(self._client, keys.reading_platforms(self._account), timeout=READING_S)
        if not lock.acquire(blocking=False):
            yield False
            return
        try:
            yield True
        finally:
            with suppress(RedisError):  # it ends by itself
                lock.release()


class OnPremise:
    """Which platforms are software on the customer's own computer, by key, as the shelf has them.

    Looked up once in ``FRESH_S``; empty where the list was never read.
    """

    def __init__(
        self, shelf: PlatformCache | None, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._shelf, self._monotonic = shelf, monotonic
        self._known: Mapping[str, bool] = {}
        self._look_at = float("-inf")

    def __call__(self) -> Mapping[str, bool]:
        """By platform key whether it is such software; raises ``redis.RedisError`` without Redis."""
        if self._shelf is not None and self._monotonic() >= self._look_at:
            found = self._shelf.get()
            self._known = {one.key: one.is_on_premise for one in found.platforms} if found else {}
            self._look_at = self._monotonic() + FRESH_S
        return self._known


def shelf_of(client: "Redis[Any]", settings: Settings) -> PlatformCache | None:
    """The shelf of the Codat account in the settings; ``None`` without one."""
    if settings.codat_api_key is None:
        return None
    return PlatformCache(client, account_of(settings.codat_api_url, settings.codat_api_key))


def _dump(catalogue: Catalogue) -> dict[str, Any]:
    return {
        "version": VERSION,
        "fetched_at": to_iso(catalogue.fetched_at),
        "platforms": [dataclasses.asdict(platform) for platform in catalogue.platforms],
        "pictured": {key: to_iso(at) for key, at in catalogue.pictured.items()},
    }


def _load(doc: dict[str, Any]) -> Catalogue:
    if doc["version"] != VERSION:
        raise ValueError("written by another version")
    return Catalogue(
        from_iso(doc["fetched_at"]),
        tuple(
            PlatformView(**{name: value for name, value in row.items() if name in _FIELDS})
            for row in doc["platforms"]
        ),
        {key: from_iso(at) for key, at in doc["pictured"].items()},
    )
