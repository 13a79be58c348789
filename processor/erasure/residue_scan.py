"""Searches the whole store, every key and every value, for traces of an erased company."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis

from processor.erasure import company_ids
from processor.erasure.erase import CompanyEraser
from processor.erasure.records import CompanyRecords
from processor.store import bodies, message_records
from processor.store.keys import PREFIX
from processor.store.records import searchable_connection

PAGE_SIZE = 1_000
MAX_WAIT_S = 8.0
ROUND_S = 0.5
"""How long to wait for writes that were under way during the erasure, and the pause between two rounds."""

SHORTEST_SUBSTRING = 6
"""Characters; a shorter identifier is part of many words, so only complete values are compared with it."""


@dataclass(frozen=True, slots=True)
class ScanResult:
    """The number of keys that were searched, and the keys in which an identifier was found."""

    searched: int
    residue: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Whether no identifier was found."""
        return not self.residue


@dataclass(frozen=True, slots=True)
class ErasureReport:
    """What was removed, the identifiers that were searched for afterwards, and the result of the search."""

    removed: CompanyRecords
    identifiers: tuple[str, ...]
    scan: ScanResult


def erase_and_scan(
    client: "Redis[Any]",
    eraser: CompanyEraser,
    company_id: str,
    *,
    clock: Callable[[], datetime],
    sleep: Callable[[float], object] = time.sleep,
) -> ErasureReport:
    """Erase a company and repeat it, for up to ``MAX_WAIT_S``, until the store holds no trace of it.

    What was under way meanwhile (an answer of Codat, a message, the end of a poll) may be written after
    the first erasure.
    """
    identifiers = dict.fromkeys(eraser.find_records(company_id).identifiers)
    removed = eraser.erase(company_id, clock())
    identifiers |= dict.fromkeys(removed.identifiers)
    for _ in range(int(MAX_WAIT_S / ROUND_S)):
        identifiers |= dict.fromkeys(eraser.erase(company_id, clock()).identifiers)
        result = scan(client, tuple(identifiers))
        if not any(name.startswith(PREFIX) for name in result.residue):
            break
        sleep(ROUND_S)
    return ErasureReport(removed, tuple(identifiers), result)


def scan(client: "Redis[Any]", identifiers: Sequence[str]) -> ScanResult:
    """Search the names and contents of all keys of this database.

    Raises ``redis.RedisError`` when Redis does not answer.
    """
    needles = [form for identifier in identifiers for form in _forms(identifier)]
    searched, residue = 0, []
    for name in client.scan_iter(count=PAGE_SIZE):
        searched += 1
        if any(_contains(part, needle) for part in texts_in(client, name) for needle in needles):
            residue.append(name.decode("utf-8", "replace"))
    return ScanResult(searched, tuple(sorted(residue)))


def _forms(identifier: str) -> Iterator[bytes]:
    """The identifier as it is and as JSON writes it; a UUID also in lower and upper case."""
    spellings: tuple[str, ...] = (identifier,)
    if company_ids.is_uuid(identifier):
        spellings = (identifier, identifier.lower(), identifier.upper())
    for spelling in dict.fromkeys(spellings):
        plain = spelling.encode("utf-8", "surrogatepass")
        yield plain
        escaped = json.dumps(spelling)[1:-1].encode()
        if escaped != plain:
            yield escaped


def _contains(part: bytes, needle: bytes) -> bool:
    if len(needle) >= SHORTEST_SUBSTRING:
        return needle in part
    return part == needle or b'"' + needle + b'"' in part or part.endswith(b":" + needle)


def texts_in(client: "Redis[Any]", name: bytes) -> Iterator[bytes]:
    """The name of a key and every member, field and value in it, also uncompressed."""
    yield name
    kind = client.execute_command("TYPE", name)
    if kind == b"string":
        value = client.get(name) or b""
        yield from (value, bodies.unpack(value), searchable_connection(value))
    elif kind == b"hash":
        holds_messages = name.endswith(b":messages")
        for field, value in client.hscan_iter(name, count=PAGE_SIZE):
            yield field
            yield message_records.searchable(value) if holds_messages else value
    elif kind == b"zset":
        for member, _ in client.zscan_iter(name, count=PAGE_SIZE):
            yield member
    elif kind == b"set":
        yield from client.sscan_iter(name, count=PAGE_SIZE)
    elif kind == b"list":
        for start in range(0, client.llen(name), PAGE_SIZE):
            yield from map(bodies.unpack, client.lrange(name, start, start + PAGE_SIZE - 1))
    elif kind == b"stream":
        cursor = "-"
        while rows := client.xrange(name, min=cursor, count=PAGE_SIZE):
            for _, fields in rows:
                yield from fields.values()
            cursor = f"({rows[-1][0].decode()}"
