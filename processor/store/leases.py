"""Leases of cells: which drain serves which cell. They share work; the cursor alone guards a commit."""

import random
import secrets
import time
from collections import Counter
from collections.abc import Sequence, Set
from typing import Any, NamedTuple

from redis import Redis, RedisError
from redis.exceptions import TryAgainError

from processor.store import each_cell, keys
from processor.store.cluster import ClusterClient
from processor.store.decoding import text
from processor.store.inbox import ASKED
from processor.store.scripts import register

LEASE_MS = 1_200
"""Lifetime of a lease without a renewal (ms): a killed worker's cells are free after it."""

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.002, 0.03
"""Pauses between two looks at the cells of a cluster, in seconds; each is twice as long as the one before."""


class WaitingCells(NamedTuple):
    """Cells with messages, by lane of the inbox, in random order: the caller may not get to all of them."""

    new: list[int]
    replays: list[int]


class CellLeases:
    """The cells that one drain serves.

    Every drain takes free cells, and, with fewer than its share, cells of a drain that has more. A drain that
    loses a cell notices at its next renewal; until then the later commit of the two fails. ``only`` are cells
    to serve whoever else does.
    """

    def __init__(self, client: "Redis[Any]", only: Sequence[int] = ()) -> None:
        self._client = client
        self._only = only
        self._token = secrets.token_hex(4)
        self._rest: Any = register(client, "rest")
        self.held: list[int] = []

    def renew(self) -> None:
        """Renew the leases, and take or give up cells."""
        if not self._only:
            holders = each_cell.replies(self._client, lambda pipe, cell: pipe.get(keys.wake(cell)))
            self.held = _shared([text(holder or b"") for holder in holders], self._token)
        else:
            self.held = list(self._only)
        with self._client.pipeline(transaction=False) as pipe:
            for cell in self.held:
                pipe.set(keys.wake(cell), self._token, px=LEASE_MS)
            pipe.execute()

    def waiting(self, timeout_ms: int) -> WaitingCells:
        """The held cells with messages; waits up to ``timeout_ms`` for the first one."""
        if isinstance(self._client, ClusterClient):
            return self._waiting_in_cluster(time.monotonic() + timeout_ms / 1000)
        streams: dict[Any, Any] = dict.fromkeys(self._streams(), "0")
        rows = self._client.xread(streams, count=1, block=timeout_ms or None)
        return self._by_lane({text(name) for name, _ in rows or ()})

    def _streams(self) -> list[str]:
        return [name for cell in self.held for name in keys.inboxes(cell)]

    def _by_lane(self, filled: Set[str]) -> WaitingCells:
        cells = random.sample(self.held, len(self.held))
        return WaitingCells(
            [cell for cell in cells if keys.inbox(cell) in filled],
            [cell for cell in cells if keys.replays(cell) in filled],
        )

    def _waiting_in_cluster(self, until: float) -> WaitingCells:
        """The same for cells of several nodes, which no single command can wait for: look again and again."""
        pause_s = SHORTEST_PAUSE_S
        while True:
            with self._client.pipeline(transaction=False) as pipe:
                names = self._streams()
                for name in names:
                    pipe.xlen(name)
                filled = {name for name, depth in zip(names, pipe.execute(), strict=True) if depth}
            rest_s = until - time.monotonic()
            if filled or rest_s <= 0:
                return self._by_lane(filled)
            time.sleep(min(pause_s, rest_s))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def release(self) -> bool:
        """Give up all cells; whether messages wait in one of them."""
        with self._client.pipeline(transaction=False) as pipe:
            for cell in self.held:
                self._rest(
                    keys=[keys.wake(cell), *keys.inboxes(cell)],
                    args=[self._token, ASKED, LEASE_MS],
                    client=pipe,
                )
            replies = pipe.execute(raise_on_error=False)
        self.held = []
        for reply in replies:
            if isinstance(reply, RedisError) and not isinstance(reply, TryAgainError):  # its slot moves
                raise reply
        return not all(replies)


def _shared(holders: Sequence[str], token: str) -> list[int]:
    """The cells that the drain ``token`` serves from now on, if ``holders`` serve them so far."""
    mine = [cell for cell, holder in enumerate(holders) if holder == token]
    free = [cell for cell, holder in enumerate(holders) if holder in ("", ASKED)]
    counts = Counter(holder for holder in holders if holder not in ("", ASKED, token))
    drains = len(counts) + 1
    least, most = len(holders) // drains, -(-len(holders) // drains)
    taken = mine + free[: max(0, most - len(mine))]
    for cell, holder in enumerate(holders):
        if len(taken) >= least:
            break
        if counts[holder] > most:
            counts[holder] -= 1
            taken.append(cell)
    return taken
