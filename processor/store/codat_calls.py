"""Counts, durations and failures of calls to Codat by all processes. One small hash.

A status is that of Codat's response (``200``), or ``timeout`` or ``unreachable`` if there was none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any

from redis import Redis
from redis.client import Pipeline

from processor.clock import to_ms
from processor.store import keys
from processor.store.decoding import fields_with_prefix, moment, text_fields

TIMEOUT = "timeout"
UNREACHABLE = "unreachable"
OTHER = "other"
"""Stands for any status that HTTP does not define."""

KEY_REFUSED = (401, 403)
ACCOUNT_LIMITED = 402
_HTTP_STATUSES = frozenset(status.value for status in HTTPStatus)
_COUNT, _SECONDS = "count:", "seconds:"


@dataclass(frozen=True, slots=True)
class Call:
    """One request: the status of the response, or the word for the failure, and its duration."""

    status: int | str
    seconds: float

    @property
    def name(self) -> str:
        """The status under which it is counted, one of about seventy."""
        if isinstance(self.status, str):
            return self.status
        return str(self.status) if self.status in _HTTP_STATUSES else OTHER

    @property
    def failed(self) -> bool:
        """Whether Codat did not respond, or responded with a server error."""
        return isinstance(self.status, str) or self.status >= 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CodatCalls:
    """Outcomes of calls. A time is ``None`` if it never applied, or does not apply now.

    ``failures`` counts consecutive failures. ``refused_since``: Codat refuses the key (401, 403).
    ``limited_since``: the account is limited (402).
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


def add(pipe: "Pipeline[Any]", call: Call, now: datetime) -> None:
    """Stage the record of a call."""
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
        return  # does not tell whether the key is accepted
    for refusal, statuses in (("refused_ms", KEY_REFUSED), ("limited_ms", (ACCOUNT_LIMITED,))):
        if call.status in statuses:
            pipe.hsetnx(name, refusal, now_ms)
        else:
            pipe.hdel(name, refusal)


def read(client: "Redis[Any]") -> CodatCalls:
    """Read the outcomes of calls. Raises ``redis.RedisError``."""
    return parse(client.hgetall(keys.codat_calls()))


def parse(row: Mapping[bytes, bytes]) -> CodatCalls:
    """Parse the hash as stored."""
    fields = text_fields(row)
    return CodatCalls(
        called_at=moment(fields, "called_ms"),
        answered_at=moment(fields, "answered_ms"),
        failing_since=moment(fields, "failing_ms"),
        failures=int(fields.get("failures", 0)),
        last_failure=fields.get("last_failure"),
        refused_since=moment(fields, "refused_ms"),
        limited_since=moment(fields, "limited_ms"),
        counts={name: int(count) for name, count in fields_with_prefix(fields, _COUNT)},
        seconds={name: float(seconds) for name, seconds in fields_with_prefix(fields, _SECONDS)},
    )
