"""Waiting questions to Codat."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from redis import Redis
from redis.client import Pipeline

from handlers.effects import Ask, PausePolling, ResumePolling
from handlers.events import Aspect
from processor.clock import from_iso, to_iso, to_ms
from processor.store import each_cell, keys, unreadable
from processor.store.scripts import register
from processor.store.writes import Staging

LEASE_MS = 30_000
"""Lease of a taken question (ms)."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a connection, or about its company if ``connection_id`` is ``None``."""

    aspect: Aspect
    company_id: str
    connection_id: str | None
    deadline: datetime
    reason: str

    @property
    def cell(self) -> int:
        """The cell of its company, where it is stored."""
        return keys.cell_of(self.company_id)

    @property
    def member(self) -> str:
        """Its member in Redis: one per aspect of a connection, so equal questions coalesce."""
        return member_of(self.aspect, self.company_id, self.connection_id)


def member_of(aspect: Aspect, company_id: str, connection_id: str | None) -> str:
    """The member of a question in Redis."""
    return json.dumps([aspect.value, company_id, connection_id])


def write(pipe: Staging, cell: int, asks: Iterable[Ask]) -> None:
    """Stage questions.

    A waiting question stays as it is, and the earliest of several counts. A question that is being asked is
    asked again afterwards, because its answer may be older.
    """
    for ask in sorted(asks, key=lambda ask: ask.not_before):
        member = member_of(ask.aspect, ask.company_id, ask.connection_id)
        not_before_ms = to_ms(ask.not_before)
        pipe.execute_command("ZADD", keys.questions(cell), "NX", not_before_ms, member)
        details = json.dumps(
            {"deadline": to_iso(ask.deadline), "reason": ask.reason, "not_before_ms": not_before_ms}
        )
        pipe.execute_command("HSETNX", keys.question_details(cell), member, details)
        pipe.execute_command("HSET", keys.questions_again(cell), member, details)


def write_polling(client: "Redis[Any]", polling: PausePolling | ResumePolling, now: datetime) -> None:
    """Write a pause of background questions, or its end."""
    if isinstance(polling, ResumePolling):
        client.delete(keys.polling_paused(), keys.quota(), keys.pace())
        return
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    until = polling.until or midnight
    if until > now:
        until = min(until, midnight)
        client.set(keys.polling_paused(), to_iso(until), pxat=to_ms(until))


class Questions:
    """Leases due questions to workers."""

    def __init__(self, client: "Redis[Any]") -> None:
        self._client = client
        self._lease = register(client, "lease")
        self._settle = register(client, "question_settle")

    def take(self, now: datetime, limit: int) -> list[Question]:
        """Up to ``limit`` due questions, leased for ``LEASE_MS``."""
        rows: list[bytes] = []
        for cell in each_cell.due(self._client, keys.questions, now):
            free = limit - len(rows) // 2
            if free > 0:
                rows += self._lease(keys=_keys(cell), args=[to_ms(now), free, LEASE_MS, 1])
        questions = (
            unreadable.read(self._client, "question", repr(member), partial(_parse, member, details, now))
            for member, details in zip(rows[::2], rows[1::2], strict=True)
        )
        return [question for question in questions if question]

    def settle(self, *questions: Question, put: Callable[["Pipeline[Any]"], None] | None = None) -> None:
        """Remove answered or abandoned questions of one company and ``put`` the answer, in one transaction.

        If the answer were put first, its handler could ask again before the question is removed, and the
        new question would be removed with the old one.
        """
        with self._client.pipeline(transaction=True) as pipe:
            for question in questions:
                self._settle(keys=_keys(question.cell), args=[question.member], client=pipe)
            if put is not None:
                put(pipe)
            pipe.execute()

    def postpone(self, question: Question, until: datetime) -> None:
        """Return a question to the queue until this time."""
        self._client.zadd(keys.questions(question.cell), {question.member: to_ms(until)}, xx=True)


def _keys(cell: int) -> list[str]:
    """The keys of the scripts."""
    return [keys.questions(cell), keys.question_details(cell), keys.questions_again(cell)]


def _parse(member: bytes, details: bytes, now: datetime) -> Question:
    aspect, company_id, connection_id = json.loads(member)
    fields = json.loads(details) if details else {"deadline": to_iso(now), "reason": ""}
    return Question(Aspect(aspect), company_id, connection_id, from_iso(fields["deadline"]), fields["reason"])
