"""What became of calls to Codat, whatever process made them: counts by status, time taken, failures.

One small hash. A status is Codat's (``200``), or ``timeout`` or ``unreachable`` where there was no answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any

from redis import Redis
from redis.client import Pipeline

from processor.clock import from_ms, to_ms
from processor.store import keys
from processor.store.decoding import text_fields

TIMEOUT = "timeout"
UNREACHABLE = "unreachable"
OTHER = "other"
"""Any status that HTTP does not define."""

KEY_REFUSED = (401, 403)
ACCOUNT_LIMITED = 402
_KNOWN = frozenset(status.value for status in HTTPStatus)
_COUNT, _SECONDS = "count:", "seconds:"


@dataclass(frozen=True, slots=True)
class Call:
    """One request: Codat's ``status``, or the word for why there was none, and how long it took."""

    status: int | str
    seconds: float

    @property
    def name(self) -> str:
        """The status under which it is counted; there are at most some seventy."""
        if isinstance(self.status, str):
            return self.status
        return str(self.status) if self.status in _KNOWN else OTHER

    @property
    def failed(self) -> bool:
        """Whether Codat did not answer, or with an error of its own."""
        return isinstance(self.status, str) or self.status >= 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CodatCalls:
    """How calls went. ``None``: never, or not now. ``failures`` are those in a row.

    ``refused_since``: Codat refuses the key (401, 403). ``limited_since``: the account is limited (402).
    """

    called_at: datetime | None = None
    answered_at: datetime | None = None
    failing_since: datetime | None = None
    failures: int = 0
    last_failure: str | None = None
    refused_since: datetime | None = None
    limited_since: datetime | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)


def record(client: "Redis[Any]", call: Call, now: datetime) -> None:
    """Count a call that has ended, and what it says of Codat. Raises ``redis.RedisError``."""
    with client.pipeline(transaction=True) as pipe:
        add(pipe, call, now)
        pipe.execute()


def add(pipe: "Pipeline[Any]", call: Call, now: datetime) -> None:
    """The same, as a part of a pipeline."""
    name, now_ms = keys.codat_calls(), to_ms(now)
    pipe.hincrby(name, _COUNT + call.name, 1)
    pipe.hincrbyfloat(name, _SECONDS + call.name, round(call.seconds, 4))
    pipe.hset(name, "called_ms", now_ms)
    if call.failed:
        pipe.hsetnx(name, "failing_ms", now_ms)
        pipe.hincrby(name, "failures", 1)
        pipe.hset(name, "last_failure", call.name)
        return
    pipe.hset(name, "answered_ms", now_ms)
    pipe.hdel(name, "failing_ms", "failures", "last_failure")
    if call.status == HTTPStatus.TOO_MANY_REQUESTS:
        return  # says nothing of the key
    for refusal, statuses in (("refused_ms", KEY_REFUSED), ("limited_ms", (ACCOUNT_LIMITED,))):
        if call.status in statuses:
            pipe.hsetnx(name, refusal, now_ms)
        else:
            pipe.hdel(name, refusal)


def read(client: "Redis[Any]") -> CodatCalls:
    """How calls went until now. Raises ``redis.RedisError``."""
    return parse(client.hgetall(keys.codat_calls()))


def parse(row: Mapping[bytes, bytes]) -> CodatCalls:
    """The same, from the hash as Redis has it."""
    said = text_fields(row)

    def moment(name: str) -> datetime | None:
        return from_ms(int(said[name])) if name in said else None

    return CodatCalls(
        called_at=moment("called_ms"),
        answered_at=moment("answered_ms"),
        failing_since=moment("failing_ms"),
        failures=int(said.get("failures", 0)),
        last_failure=said.get("last_failure"),
        refused_since=moment("refused_ms"),
        limited_since=moment("limited_ms"),
        counts={k.removeprefix(_COUNT): int(v) for k, v in sorted(said.items()) if k.startswith(_COUNT)},
        seconds={
            k.removeprefix(_SECONDS): float(v) for k, v in sorted(said.items()) if k.startswith(_SECONDS)
        },
    )
