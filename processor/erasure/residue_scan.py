"""Proving that nothing is left: the whole store is searched, every key and every value."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis

from processor.erasure import company_ids
from processor.erasure.erase import Erasure, ErasureLeftovers
from processor.store.keys import PREFIX

PAGE = 1_000
ON_ITS_WAY_S = 8.0
ROUND_S = 0.5
"""How long what is on its way may take to land, and the pause between two rounds, in seconds."""

SHORTEST = 6
"""A shorter word stands in too much else; it is looked for as a whole value only."""


@dataclass(frozen=True, slots=True)
class ResidueScan:
    """How many keys were searched, and in which of them something was found."""

    searched: int
    found: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.found


def erase_and_prove(
    client: "Redis[Any]",
    erasure: Erasure,
    company_id: str,
    *,
    clock: Callable[[], datetime],
    sleep: Callable[[float], object] = time.sleep,
) -> tuple[ErasureLeftovers, tuple[str, ...], ResidueScan]:
    """Erase a company until nothing is left: what there was, the traces that were searched for, the proof.

    What was on its way meanwhile (an answer of Codat's, a message, the end of a look) may land after the
    erasure: it is removed in another round, for ``ON_ITS_WAY_S`` at the most.
    """
    before = erasure.kept(company_id)
    kept = erasure.erase(company_id, clock())
    traces = dict.fromkeys([*before.traces, *kept.traces])
    for _ in range(int(ON_ITS_WAY_S / ROUND_S)):
        traces |= dict.fromkeys(erasure.erase(company_id, clock()).traces)
        proof = prove(client, tuple(traces))
        if not any(name.startswith(PREFIX) for name in proof.found):
            break
        sleep(ROUND_S)
    return kept, tuple(traces), proof


def prove(client: "Redis[Any]", traces: Sequence[str]) -> ResidueScan:
    """Search every key of this database and whatever stands in it for the ``traces``.

    Raises ``redis.RedisError`` when Redis does not answer.
    """
    needles = [form for trace in traces for form in _forms(trace)]
    searched, found = 0, []
    for name in client.scan_iter(count=PAGE):
        searched += 1
        if any(_stands_in(needle, part) for part in _parts(client, name) for needle in needles):
            found.append(name.decode("utf-8", "replace"))
    return ResidueScan(searched, tuple(sorted(found)))


def _forms(trace: str) -> Iterator[bytes]:
    """A word as it is, and as JSON writes it; a UUID also in the other case."""
    for word in dict.fromkeys(
        (trace, trace.lower(), trace.upper()) if company_ids.is_uuid(trace) else (trace,)
    ):
        plain = word.encode("utf-8", "surrogatepass")
        yield plain
        escaped = json.dumps(word)[1:-1].encode()
        if escaped != plain:
            yield escaped


def _stands_in(needle: bytes, part: bytes) -> bool:
    if len(needle) >= SHORTEST:
        return needle in part
    return part == needle or b'"' + needle + b'"' in part or part.endswith(b":" + needle)


def _parts(client: "Redis[Any]", name: bytes) -> Iterator[bytes]:
    """The key itself, and everything in it, bit by bit."""
    yield name
    kind = client.execute_command("TYPE", name)
    if kind == b"string":
        yield client.get(name) or b""
    elif kind == b"hash":
        for field, value in client.hscan_iter(name, count=PAGE):
            yield field
            yield value
    elif kind == b"zset":
        for member, _ in client.zscan_iter(name, count=PAGE):
            yield member
    elif kind == b"set":
        yield from client.sscan_iter(name, count=PAGE)
    elif kind == b"list":
        for start in range(0, client.llen(name), PAGE):
            yield from client.lrange(name, start, start + PAGE - 1)
    elif kind == b"stream":
        place = "-"
        while rows := client.xrange(name, min=place, count=PAGE):
            for _, fields in rows:
                yield from fields.values()
            place = f"({rows[-1][0].decode()}"
