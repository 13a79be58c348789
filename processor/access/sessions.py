"""Sessions of operators in Redis, under the digest of a token that only the browser has.

A session ends an hour after its last request and twelve hours after it began. It ends at once when it is
revoked, and when its operator is removed from the settings or gets another password.
"""

import contextlib
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from redis import Redis, ResponseError

from processor.access import operators
from processor.access.operators import Operator
from processor.clock import from_ms, to_ms
from processor.settings.definitions import Settings
from processor.settings.people import USER, Role, role_of
from processor.store import essential_writes, keys
from processor.store.decoding import text_fields, texts

LIFETIME = timedelta(hours=12)
IDLE = timedelta(hours=1)
SHOWN_ID_CHARS = 12
"""Characters of a session's id on pages: enough to tell sessions apart."""

_TOKEN_BYTES = 32
LONGEST_TOKEN = 100


@dataclass(frozen=True, slots=True)
class OperatorSession:
    """A session: who signed in, how and when. ``id`` is a digest of the token."""

    id: str
    name: str
    role: Role
    method: str
    began_at: datetime
    fingerprint: str = field(default="", repr=False)

    @property
    def ends_at(self) -> datetime:
        """When the session ends at the latest."""
        return self.began_at + LIFETIME


class OperatorSessions:
    """Opens, finds and ends sessions. Every method raises ``redis.RedisError``."""

    def __init__(self, client: "Redis[Any]", settings: Settings, *, clock: Callable[[], datetime]) -> None:
        self._client, self._settings, self._clock = client, settings, clock

    def open(self, operator: Operator, method: str) -> str:
        """Begin a session, also while Redis is full, and return its token."""
        token, now_ms = secrets.token_urlsafe(_TOKEN_BYTES), to_ms(self._clock())
        id_ = _id_of(token)
        is_password = method == operators.PASSWORD
        fingerprint = operators.fingerprint(self._settings, operator.name) if is_password else None
        fields: dict[str, str | int] = {
            "name": operator.name,
            "role": operator.role.label,
            "method": method,
            "began_ms": now_ms,
            "fingerprint": fingerprint or "",
        }
        words = [word for field in fields.items() for word in field]
        essential_writes.run(
            self._client,
            [
                ("HSET", keys.operator_session(id_), *words),
                ("PEXPIRE", keys.operator_session(id_), _ms(IDLE)),
                ("ZADD", keys.operator_sessions(), now_ms, id_),
                ("ZREMRANGEBYSCORE", keys.operator_sessions(), 0, now_ms - _ms(LIFETIME)),
            ],
        )
        return token

    def find(self, token: str) -> OperatorSession | None:
        """The session of a token, which lasts another hour if Redis takes that; ``None`` if it has ended."""
        if not token or len(token) > LONGEST_TOKEN:
            return None
        id_ = _id_of(token)
        session = self._read(id_, self._client.hgetall(keys.operator_session(id_)))
        if session is not None:
            with contextlib.suppress(ResponseError):  # pages also tell of a Redis that refuses writes
                self._client.expire(keys.operator_session(id_), IDLE)
        return session

    def all(self) -> list[OperatorSession]:
        """Every session that has not ended, newest first."""
        ids = texts(self._client.zrange(keys.operator_sessions(), 0, -1))
        with self._client.pipeline(transaction=False) as pipe:
            for id_ in ids:
                pipe.hgetall(keys.operator_session(id_))
            rows = pipe.execute() if ids else []
        sessions = (self._read(id_, row) for id_, row in zip(ids, rows, strict=True))
        return [session for session in sessions if session is not None][::-1]

    def end(self, token: str) -> None:
        """End the session of a token."""
        self._remove([_id_of(token)])

    def revoke(self, *, name: str | None = None, id_start: str | None = None) -> int:
        """End the sessions of an operator, or those whose id begins so; their number."""
        ids = [
            session.id
            for session in self.all()
            if session.name == name or (id_start and session.id.startswith(id_start))
        ]
        self._remove(ids)
        return len(ids)

    def _remove(self, ids: list[str]) -> None:
        if ids:
            with self._client.pipeline(transaction=True) as pipe:
                pipe.delete(*map(keys.operator_session, ids))
                pipe.zrem(keys.operator_sessions(), *ids)
                pipe.execute()

    def _read(self, id_: str, row: dict[bytes, bytes]) -> OperatorSession | None:
        """The session in a row; ``None`` if it has ended."""
        if not row:
            return None
        fields = text_fields(row)
        session = OperatorSession(
            id_,
            fields["name"],
            role_of(fields["role"]),
            fields["method"],
            from_ms(int(fields["began_ms"])),
            fields["fingerprint"],
        )
        if self._clock() >= session.ends_at:
            return None
        if session.method != operators.PASSWORD:
            return session if self._settings.oidc_issuer else None
        if operators.fingerprint(self._settings, session.name) != session.fingerprint:
            return None
        account = operators.accounts(self._settings).get(session.name)
        role = Role.ADMIN if session.name == USER else account.role if account else session.role
        return OperatorSession(id_, session.name, role, session.method, session.began_at)


def _id_of(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _ms(duration: timedelta) -> int:
    return int(duration.total_seconds() * 1000)
