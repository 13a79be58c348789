"""The platforms that can be connected, cached in memory, then in Redis, then read from Codat.

A stale list is served while it is read again in the background, for as long as Codat is down. Only the very
first request waits for Codat, and of a thousand concurrent first requests one calls Codat.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from redis import RedisError

from processor.codat.client import CodatClient
from processor.codat.errors import CodatNotFound, CodatUnusable
from processor.codat.models import Branding
from processor.errors import CodatError, CodatUnavailable
from processor.journey.catalogue import Catalogue, catalogue_of, with_branding
from processor.journey.models import PlatformView
from processor.journey.platform_cache import PlatformCache

_log = logging.getLogger(__name__)

MEMORY_S = 60.0
"""How long a process uses its memory before it reads Redis again, in seconds."""

MEMORY_WITHOUT_BRANDING_S = 1.0
"""The same while the branding is still being read."""

FAILURE_S = 2.0
"""How long a failed read is the answer to all requests, in seconds."""

BACKGROUND_PAUSE_S = 60.0
"""Pause of the background refresh after a failure, in seconds."""

MISS_FRESH_FOR = timedelta(seconds=60)
"""Age of the list beyond which a platform that is not on it is looked up at Codat."""

FIRST_READ_WAIT_S = 10.0
"""How long a first request waits for another process that reads the list, in seconds."""

POLL_INTERVAL_S = 0.05
BRANDING_BATCH = 10
"""How many brandings are read before they are cached."""

Spawn = Callable[[Callable[[], None]], None]


def run_in_background(work: Callable[[], None]) -> None:
    """Run ``work`` in a daemon thread."""
    threading.Thread(target=work, name="platforms", daemon=True).start()


class Platforms:
    """The platforms of one Codat account. Thread-safe. ``monotonic`` is in seconds."""

    def __init__(
        self,
        *,
        codat: CodatClient,
        cache: PlatformCache,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        spawn: Spawn,
    ) -> None:
        self._codat, self._cache = codat, cache
        self._clock, self._monotonic, self._spawn = clock, monotonic, spawn
        self._memory: Catalogue | None = None
        self._memory_until = float("-inf")
        self._failure: tuple[CodatError, float] | None = None
        self._loading = threading.Lock()
        self._refreshing = threading.Lock()
        self._refresh_not_before = float("-inf")

    def all(self) -> tuple[PlatformView, ...]:
        """The enabled platforms, by source type and name.

        Raises ``CodatError`` when no list was ever read and Codat does not answer.
        """
        return self._catalogue().platforms

    def get(self, key: str) -> PlatformView | None:
        """The platform with this key; ``None`` when Codat, read again after ``MISS_FRESH_FOR``, lacks it."""
        catalogue = self._catalogue()
        platform = catalogue.get(key)
        if platform is None and self._clock() - catalogue.fetched_at > MISS_FRESH_FOR:
            return self._load(newer_than=catalogue.fetched_at).get(key)
        return platform

    def warm(self) -> None:
        """Read the platforms in the background unless they are in memory."""
        if self._memory is None:
            self.refresh()

    def refresh(self) -> None:
        """Read what is stale in the background, unless a refresh runs or failed a moment ago."""
        if self._monotonic() < self._refresh_not_before or not self._refreshing.acquire(blocking=False):
            return
        try:
            self._spawn(self._refresh)
        except RuntimeError:
            self._refreshing.release()
            _log.warning("no thread could be started to read the platforms")

    # Caches

    def _catalogue(self) -> Catalogue:
        catalogue = self._cached() or self._load()
        now = self._clock()
        if catalogue.is_stale(now) or catalogue.stale_branding(now):
            self.refresh()
        return catalogue

    def _cached(self) -> Catalogue | None:
        """The catalogue in memory, updated from Redis when that is due; ``None`` before the first read."""
        memory = self._memory
        if memory is None or self._monotonic() < self._memory_until:
            return memory
        # One thread reads Redis while the others use the memory.
        self._memory_until = self._monotonic() + MEMORY_WITHOUT_BRANDING_S
        try:
            catalogue = self._cache.get()
        except RedisError:
            return memory
        return memory if catalogue is None else self._remember(catalogue)

    def _remember(self, catalogue: Catalogue) -> Catalogue:
        lifetime_s = MEMORY_S if catalogue.has_all_branding else MEMORY_WITHOUT_BRANDING_S
        self._memory, self._memory_until = catalogue, self._monotonic() + lifetime_s
        return catalogue

    # Reading from Codat

    def _load(self, newer_than: datetime | None = None) -> Catalogue:
        """A list newer than ``newer_than``, read from Codat by this thread, another thread or process."""
        with self._loading:
            deadline = self._monotonic() + FIRST_READ_WAIT_S
            while True:
                memory = self._memory
                if memory is not None and (newer_than is None or memory.fetched_at > newer_than):
                    return memory
                if self._failure is not None and self._monotonic() - self._failure[1] < FAILURE_S:
                    raise self._failure[0]
                with self._cache.refresh_lock() as is_locked:
                    cached = self._cache.get()
                    if cached is not None and (newer_than is None or cached.fetched_at > newer_than):
                        return self._remember(cached)
                    if is_locked:
                        return self._read_list(cached)
                if self._monotonic() >= deadline:
                    busy = CodatUnavailable("The platforms are being read; try again shortly.")
                    self._failure = (busy, self._monotonic())
                    raise busy
                time.sleep(POLL_INTERVAL_S)

    def _read_list(self, previous: Catalogue | None) -> Catalogue:
        try:
            rows = self._codat.list_integrations()
        except CodatError as error:
            self._failure = (error, self._monotonic())
            _log.warning(
                "the platforms could not be read",
                extra={"error": type(error).__name__, "correlation_id": error.correlation_id},
            )
            raise
        self._failure = None
        catalogue = catalogue_of(rows, previous, self._clock())
        self._cache.put(catalogue)
        return self._remember(catalogue)

    def _refresh(self) -> None:
        """In the background: read the list if it is stale, then the branding that is missing or stale."""
        pause_s = BACKGROUND_PAUSE_S
        try:
            with self._cache.refresh_lock() as is_locked:
                if is_locked:
                    self._read_stale()
            pause_s = MEMORY_WITHOUT_BRANDING_S
        except (CodatError, RedisError) as error:
            _log.warning(
                "the platforms could not be read anew; what is known is served",
                extra={"error": type(error).__name__},
            )
        except Exception:
            _log.exception("reading the platforms raised")
        finally:
            self._refresh_not_before = self._monotonic() + pause_s
            self._refreshing.release()

    def _read_stale(self) -> None:
        catalogue = self._cache.get()
        if catalogue is None or catalogue.is_stale(self._clock()):
            catalogue = self._read_list(catalogue)
        self._remember(catalogue)
        keys = catalogue.stale_branding(self._clock())
        for start in range(0, len(keys), BRANDING_BATCH):
            brandings = {key: self._read_branding(key) for key in keys[start : start + BRANDING_BATCH]}
            catalogue = with_branding(catalogue, brandings, self._clock())
            self._cache.put(catalogue)
            self._remember(catalogue)

    def _read_branding(self, key: str) -> Branding | None:
        """The branding of a platform; ``None`` when Codat has none that can be used."""
        try:
            return self._codat.get_branding(key)
        except (CodatNotFound, CodatUnusable):
            return None
