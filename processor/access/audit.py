"""The audit trail: every action of operators, API keys, commands and receivers, chained by hashes.

An entry contains the hash of the entry before it, so a changed, inserted or removed entry breaks the chain.
Nothing here changes an entry; the oldest are dropped by age and number. The id of what was acted on is
kept beside the chain, which contains only a salted digest of it: the erasure of a company removes the
company's ids and leaves the chain whole.
"""

import hashlib
import json
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from redis import Redis, ResponseError, WatchError

from processor.clock import from_iso, to_iso, to_ms
from processor.errors import StoreUnavailable
from processor.store import essential_writes, keys
from processor.store.cursors import ResultPage, stream_id
from processor.store.decoding import text
from processor.store.essential_writes import Command

_log = logging.getLogger(__name__)
_log.setLevel(logging.INFO)  # also where LOG_LEVEL is higher

MAX_ENTRIES = 50_000
"""About 700 bytes each: 35 MB."""

MAX_TARGET_CHARS = 500
FIRST = "0" * 64
"""The hash before the first entry."""

FIELD = "entry"
ATTEMPTS = 50
PAGE_SIZE = 1_000
MAX_COMPARED = 5_000
"""Entries, newest first, that one page of a filtered list compares."""


class ActorKind(StrEnum):
    """Who can act."""

    OPERATOR = "operator"
    API_KEY = "api-key"
    COMMAND = "command"
    RECEIVER = "receiver"
    """Who holds the link to a receiver's own page."""


@dataclass(frozen=True, slots=True)
class AuditedAction:
    """What an actor did: ``target`` is the id of what it was done to, ``outcome`` how it ended."""

    kind: ActorKind
    actor: str
    action: str
    target: str | None
    outcome: str
    address: str | None = None


@dataclass(frozen=True, slots=True)
class AuditVerification:
    """The number of entries that were checked, and a sentence for each fault."""

    entries: int
    faults: tuple[str, ...]
    forgotten: int
    """Entries whose target was erased."""

    head: str | None
    """The hash of the newest entry."""


class AuditTrail:
    """Appends and reads. Every method raises ``redis.RedisError``."""

    def __init__(self, client: "Redis[Any]", *, days: int, clock: Callable[[], datetime]) -> None:
        self._client, self._days, self._clock = client, days, clock

    def append(self, action: AuditedAction) -> dict[str, Any]:
        """Append an entry, also while Redis is full, and drop expired ones.

        Raises ``StoreUnavailable`` if others append all the time.
        """
        stream, salt = keys.audit(), secrets.token_hex(16)
        target = None if action.target is None else action.target[:MAX_TARGET_CHARS]
        is_full = False
        for _ in range(ATTEMPTS):
            with self._client.pipeline(transaction=True) as pipe:
                pipe.watch(stream, keys.audit_head())
                number, previous = self._head(pipe)
                oldest = self._oldest_kept(pipe, number + 1)
                dropped = self._dropped(pipe, oldest)
                entry = {
                    "number": number + 1,
                    "at": to_iso(self._clock()),
                    **asdict(action),
                    "target": None if target is None else _commitment(salt, target),
                    "oldest": oldest,
                    "previous": previous,
                }
                entry["hash"] = _hash_of(entry)
                commands: list[Command] = [
                    ("XADD", stream, "*", FIELD, json.dumps(entry, ensure_ascii=False)),
                    ("SET", keys.audit_head(), f"{number + 1} {entry['hash']}"),
                ]
                if target is not None:
                    row = json.dumps([salt, target])
                    commands.append(("HSET", keys.audit_targets(), number + 1, row))
                commands.append(("XTRIM", stream, "MAXLEN", number + 2 - oldest))
                if dropped:
                    commands.append(("HDEL", keys.audit_targets(), *dropped))
                pipe.multi()
                essential_writes.stage(pipe, commands, is_full=is_full)
                try:
                    pipe.execute()
                except WatchError:
                    continue
                except ResponseError as error:
                    if is_full or not essential_writes.says_full(error):
                        raise
                    is_full = True
                    continue
            return {**entry, "target": target}
        raise StoreUnavailable()

    def entries(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        kind: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        target: str | None = None,
        outcome: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> ResultPage:
        """A page of entries, newest first. Raises ``Invalid`` for a foreign cursor."""
        wanted = {"kind": kind, "actor": actor, "action": action, "target": target, "outcome": outcome}
        wanted = {name: value for name, value in wanted.items() if value is not None}
        items: list[dict[str, Any]] = []
        end = "+" if cursor is None else f"({stream_id(cursor)}"
        if cursor is None and until is not None:
            end = str(max(0, to_ms(until)))  # no entry is older than 1970, and no stream id negative
        for _ in range(MAX_COMPARED // PAGE_SIZE):
            rows = self._client.xrevrange(keys.audit(), max=end, count=PAGE_SIZE)
            for id_, entry in self._with_targets(rows):
                at = from_iso(entry["at"])
                if since is not None and at < since:
                    return ResultPage(items, None)
                is_wanted = all(entry[name] == value for name, value in wanted.items())
                if is_wanted and (until is None or at < until):
                    items.append(entry)
                    if len(items) == limit:
                        return ResultPage(items, id_)
                end = f"({id_}"
            if len(rows) < PAGE_SIZE:
                return ResultPage(items, None)
        return ResultPage(items, end.removeprefix("("))

    def all(self) -> Iterator[dict[str, Any]]:
        """Every entry, oldest first, the target in plain if it was not erased."""
        for entry, known in self._oldest_first():
            yield {**entry, "target": None if known is None else known[1]}

    def verify(self) -> AuditVerification:
        """Compute the chain again and compare."""
        faults: list[str] = []
        count = forgotten = 0
        last: dict[str, Any] | None = None
        first_number = 0
        for entry, known in self._oldest_first():
            count += 1
            number = entry.get("number")
            first_number = first_number or int(number or 0)
            if entry.get("hash") != _hash_of(entry):
                faults.append(f"Entry {number} was changed.")
            if last is not None and (
                number != last["number"] + 1 or entry.get("previous") != last.get("hash")
            ):
                faults.append(f"Entry {number} does not follow entry {last['number']}.")
            if entry.get("target") is not None:
                if known is None:
                    forgotten += 1
                elif _commitment(*known) != entry["target"]:
                    faults.append(f"The target of entry {number} was changed.")
            last = entry
        number, head = self._head(self._client)
        if (number, head) != ((last["number"], last["hash"]) if last else (0, FIRST)):
            faults.append("The newest entries are missing.")
        if last is not None and last["oldest"] != first_number:
            faults.append("The oldest entries are missing.")
        return AuditVerification(count, tuple(faults), forgotten, head if last else None)

    def _head(self, client: Any) -> tuple[int, str]:
        """Number and hash of the newest entry."""
        row = client.get(keys.audit_head())
        number, _, hash_ = (b"0 " + FIRST.encode() if row is None else row).decode().partition(" ")
        return int(number), hash_

    def _oldest_kept(self, pipe: Any, number: int) -> int:
        """Number of the oldest entry that stays beside the new one; ``number`` is the new one's."""
        start = f"{to_ms(self._clock() - timedelta(days=self._days))}-0"
        return max(_first_number(pipe, start) or number, number + 1 - MAX_ENTRIES)

    def _dropped(self, pipe: Any, oldest: int) -> list[str]:
        """Numbers of the entries before ``oldest``, which are dropped now."""
        return [str(number) for number in range(_first_number(pipe, "-") or oldest, oldest)]

    def _oldest_first(self) -> Iterator[tuple[dict[str, Any], list[str] | None]]:
        start = "-"
        while rows := self._client.xrange(keys.audit(), min=start, count=PAGE_SIZE):
            entries = list(map(_entry_of, rows))
            yield from zip(entries, self._targets(entries), strict=True)
            start = f"({text(rows[-1][0])}"

    def _with_targets(self, rows: Sequence[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Id and entry of each row, the target in plain if it was not erased."""
        entries = list(map(_entry_of, rows))
        for (id_, _), entry, known in zip(rows, entries, self._targets(entries), strict=True):
            yield text(id_), {**entry, "target": None if known is None else known[1]}

    def _targets(self, entries: Sequence[Mapping[str, Any]]) -> list[list[str] | None]:
        """Salt and target of each entry."""
        if not entries:
            return []
        rows = self._client.hmget(keys.audit_targets(), [str(entry.get("number")) for entry in entries])
        return [None if row is None else json.loads(row) for row in rows]


def log_action(entry: Mapping[str, Any]) -> None:
    """Write an entry to the log, whatever LOG_LEVEL is."""
    _log.info("an action was recorded", extra={f"audit_{name}": value for name, value in entry.items()})


def forget_targets(client: "Redis[Any]", identifiers: Sequence[str]) -> int:
    """Remove the targets that contain one of the identifiers; their number. The chain stays whole."""
    names = [
        name
        for name, value in client.hscan_iter(keys.audit_targets(), count=PAGE_SIZE)
        if any(identifier in json.loads(value)[1] for identifier in identifiers)
    ]
    if names:
        client.hdel(keys.audit_targets(), *names)
    return len(names)


def _first_number(pipe: Any, start: str) -> int | None:
    """Number of the first entry from the stream id ``start`` on."""
    rows = pipe.xrange(keys.audit(), min=start, count=1)
    return int(_entry_of(rows[0])["number"]) if rows else None


def _entry_of(row: Any) -> dict[str, Any]:
    """The entry in a row of the stream."""
    entry: dict[str, Any] = json.loads(row[1][FIELD.encode()])
    return entry


def _commitment(salt: str, target: str) -> str:
    return hashlib.sha256(f"{salt} {target}".encode("utf-8", "surrogatepass")).hexdigest()


def _hash_of(entry: Mapping[str, Any]) -> str:
    members = {name: value for name, value in entry.items() if name != "hash"}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
