"""The platforms that can be connected, with their pictures: in memory, in front of Redis, in front of Codat.

What is older than a day is still served while it is read anew in the background, for as long as Codat is
down. Nothing but the very first view waits for Codat, and of a thousand first views one asks.
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
from processor.journey.catalogue import Catalogue, listed, with_pictures
from processor.journey.models import PlatformView
from processor.journey.platform_cache import PlatformCache

_log = logging.getLogger(__name__)

MEMORY_S = 60.0
"""How long a process goes by its memory before it looks into Redis again, in seconds."""

MEMORY_WITHOUT_PICTURES_S = 1.0
"""The same while the pictures are still being read."""

FAILURE_S = 2.0
"""How long a failure to read is the answer for everybody else, in seconds."""

BACKGROUND_RESTS_S = 60.0
"""How long the background rests after it failed, in seconds."""

LOOK_AGAIN = timedelta(seconds=60)
"""How old the list may be at the most before a platform that is not on it is looked for at Codat."""

PATIENCE_S = 10.0
"""How long a first view waits for another process that reads, in seconds."""

LOOK_EVERY_S = 0.05
PICTURES_AT_ONCE = 10
"""How many pictures are read before they are kept."""

Spawn = Callable[[Callable[[], None]], None]


def in_background(work: Callable[[], None]) -> None:
    """Do ``work`` in a thread of its own, which does not keep the process from ending."""
    threading.Thread(target=work, name="platforms", daemon=True).start()


class Platforms:
    """The platforms of one Codat account. Safe for threads. ``clock`` is ours, ``monotonic`` in seconds."""

    def __init__(
        self,
        *,
        codat: CodatClient,
        shelf: PlatformCache,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        spawn: Spawn = in_background,
    ) -> None:
        self._codat, self._shelf = codat, shelf
        self._clock, self._monotonic, self._sleep, self._spawn = clock, monotonic, sleep, spawn
        self._memory: Catalogue | None = None
        self._look_at = float("-inf")
        self._failure: tuple[CodatError, float] | None = None
        self._loading = threading.Lock()
        self._refreshing = threading.Lock()
        self._refresh_not_before = float("-inf")

    def all(self) -> tuple[PlatformView, ...]:
        """The enabled platforms, by source type and name.

        Raises ``CodatError`` where nothing was ever read and Codat does not answer.
        """
        return self._catalogue().platforms

    def get(self, key: str) -> PlatformView | None:
        """The platform with this key; one that is not on an older list is looked for at Codat."""
        catalogue = self._catalogue()
        found = catalogue.get(key)
        if found is None and self._clock() - catalogue.fetched_at > LOOK_AGAIN:
            return self._read_first(newer_than=catalogue.fetched_at).get(key)
        return found

    def warm(self) -> None:
        """Have them read in the background unless they are known: somebody will want them soon."""
        if self._memory is None:
            self.refresh()

    def refresh(self) -> None:
        """Read what is old in the background, unless that is being done or was tried a moment ago."""
        if self._monotonic() < self._refresh_not_before or not self._refreshing.acquire(blocking=False):
            return
        try:
            self._spawn(self._refresh)
        except RuntimeError:
            self._refreshing.release()
            _log.warning("no thread could be started to read the platforms")

    # What is known

    def _catalogue(self) -> Catalogue:
        catalogue = self._remembered() or self._read_first()
        now = self._clock()
        if catalogue.is_old(now) or catalogue.due(now):
            self.refresh()
        return catalogue

    def _remembered(self) -> Catalogue | None:
        """From memory, after a look into Redis where that is due; ``None`` where there is no memory."""
        memory = self._memory
        if memory is None or self._monotonic() < self._look_at:
            return memory
        self._look_at = self._monotonic() + MEMORY_WITHOUT_PICTURES_S  # one looks, the others go on
        try:
            found = self._shelf.get()
        except RedisError:
            return memory
        return memory if found is None else self._remember(found)

    def _remember(self, catalogue: Catalogue) -> Catalogue:
        lasts_s = MEMORY_S if catalogue.is_pictured else MEMORY_WITHOUT_PICTURES_S
        self._memory, self._look_at = catalogue, self._monotonic() + lasts_s
        return catalogue

    # Reading from Codat

    def _read_first(self, newer_than: datetime | None = None) -> Catalogue:
        """Read the list now, or get it from whoever is reading it already, in this process or another."""
        with self._loading:
            until = self._monotonic() + PATIENCE_S
            while True:
                memory = self._memory
                if memory is not None and (newer_than is None or memory.fetched_at > newer_than):
                    return memory
                if self._failure is not None and self._monotonic() - self._failure[1] < FAILURE_S:
                    raise self._failure[0]
                with self._shelf.reading() as mine:
                    found = self._shelf.get()
                    if found is not None and (newer_than is None or found.fetched_at > newer_than):
                        return self._remember(found)
                    if mine:
                        return self._list_now(found)
                if self._monotonic() >= until:
                    busy = CodatUnavailable("The platforms are being read; try again shortly.")
                    self._failure = (busy, self._monotonic())
                    raise busy
                self._sleep(LOOK_EVERY_S)

    def _list_now(self, before: Catalogue | None) -> Catalogue:
        try:
            rows = self._codat.list_integrations(enabled=True)
        except CodatError as error:
            self._failure = (error, self._monotonic())
            _log.warning(
                "the platforms could not be read",
                extra={"error": type(error).__name__, "correlation_id": error.correlation_id},
            )
            raise
        self._failure = None
        catalogue = listed(rows, before, self._clock())
        self._shelf.put(catalogue)
        return self._remember(catalogue)

    def _refresh(self) -> None:
        """In the background: the list where it is old, then the pictures that are missing or old."""
        rests_s = BACKGROUND_RESTS_S
        try:
            with self._shelf.reading() as mine:
                if mine:
                    self._read_what_is_old()
            rests_s = MEMORY_WITHOUT_PICTURES_S
        except (CodatError, RedisError) as error:
            _log.warning(
                "the platforms could not be read anew; what is known is served",
                extra={"error": type(error).__name__},
            )
        except Exception:
            _log.exception("reading the platforms raised")
        finally:
            self._refresh_not_before = self._monotonic() + rests_s
            self._refreshing.release()

    def _read_what_is_old(self) -> None:
        catalogue = self._shelf.get()
        if catalogue is None or catalogue.is_old(self._clock()):
            catalogue = self._list_now(catalogue)
        self._remember(catalogue)
        due = catalogue.due(self._clock())
        for start in range(0, len(due), PICTURES_AT_ONCE):
            pictures = {key: self._pictures(key) for key in due[start : start + PICTURES_AT_ONCE]}
            catalogue = with_pictures(catalogue, pictures, self._clock())
            self._shelf.put(catalogue)
            self._remember(catalogue)

    def _pictures(self, key: str) -> Branding | None:
        """The pictures of a platform; ``None`` where Codat has none that can be used."""
        try:
            return self._codat.get_branding(key)
        except (CodatNotFound, CodatUnusable):
            return None
