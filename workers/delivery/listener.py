"""Wakes the dispatcher of this process as soon as a commit has notifications, without an RQ job."""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from redis import Redis, RedisError, ResponseError

from processor.store import keys, wakeups
from processor.store.cluster import ClusterClient
from processor.store.connection_errors import is_unblocked

_log = logging.getLogger(__name__)

BLOCK_S = 0.4
"""How long one read waits for a notification, in seconds."""

PAUSE_S = 0.01
"""Pause after a call, in seconds: the dispatcher gathers what comes meanwhile."""

STOP_S = 1.0
"""How long ``stop`` waits for the thread, in seconds: Redis may hang."""

AWAY_S = 1.0
"""Pause after an error of Redis, in seconds."""

MOST = 100
"""Entries of a cell in one read; a later read has the others."""


class Listener:
    """Calls ``wake`` whenever a cell has new notifications to fan out.

    While it lives it holds the claim of runs over the lanes, so that a commit enqueues no wake-up call; of
    several processes one listens. It does not in a cluster, where no command waits for the keys of all cells.
    While Redis refuses the read, as of a key of another type, nobody has the claim, and jobs are enqueued.
    """

    def __init__(self, client: "Redis[Any]", *, wake: Callable[[], None]) -> None:
        self._client, self._wake = client, wake
        self._token = secrets.token_hex(4)
        self._renew_at = 0.0
        self._is_refused = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        """Listen in a thread until ``stop``."""
        if not isinstance(self._client, ClusterClient):
            self._thread.start()

    def stop(self) -> None:
        """End the thread, and leave the claim to others."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def _run(self) -> None:
        pause_s, after = 0.0, dict.fromkeys(map(keys.fan_out, keys.cells()), "0")
        while not self._stopping.wait(pause_s):
            try:
                pause_s = self._listen(after)
            except RedisError as error:
                self._failed(error)
                pause_s = AWAY_S
                after.update(dict.fromkeys(after, "0"))
        self._release()

    def _failed(self, error: RedisError) -> None:
        self._renew_at = 0.0
        if not isinstance(error, ResponseError) or is_unblocked(error):
            _log.debug(
                "the listener cannot reach Redis; the dispatcher says so", extra={"error": repr(error)}
            )
            return
        if not self._is_refused:
            _log.warning("the listener is refused; jobs wake the dispatcher", extra={"error": repr(error)})
        self._is_refused = True
        self._release()

    def _release(self) -> None:
        try:
            wakeups.stop_listening(self._client, self._token)
        except RedisError as error:
            _log.debug("the claim of the listener expires", extra={"error": repr(error)})

    def _listen(self, after: dict[str, str]) -> float:
        """Wait for entries behind those in ``after``, and note them there; the pause until the next read."""
        now = time.monotonic()
        if now >= self._renew_at:
            if self._is_refused:  # does it read again? Only then the claim is right
                self._client.xread(dict[Any, Any](after), count=1)
            self._start_again(after)
            if not wakeups.may_listen(self._client, self._token):
                return BLOCK_S
            self._renew_at = now + BLOCK_S
        rows = self._client.xread(dict[Any, Any](after), count=MOST, block=int(BLOCK_S * 1000))
        self._is_refused = False
        for name, entries in rows or ():
            after[name.decode()] = entries[-1][0].decode()
        if not rows:
            return 0.0
        self._wake()
        return PAUSE_S

    def _start_again(self, after: dict[str, str]) -> None:
        """Begin anew with streams that are empty, or whose ids are lower, as after a failover."""
        heard = [name for name, id_ in after.items() if id_ != "0"]
        with self._client.pipeline(transaction=False) as pipe:
            for name in heard:
                pipe.xrevrange(name, count=1)
            newest = pipe.execute()
        for name, entries in zip(heard, newest, strict=True):
            if not entries or _place(entries[0][0].decode()) < _place(after[name]):
                after[name] = "0"


def _place(entry_id: str) -> tuple[int, ...]:
    return tuple(map(int, entry_id.split("-")))
