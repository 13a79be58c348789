"""Questions that wait to be put to Codat."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from redis import Redis
from redis.client import Pipeline

from handlers.effects import Ask, PausePolling, ResumePolling
from handlers.events import Aspect
from processor.clock import from_iso, to_iso, to_ms
from processor.store import keys, unreadable
from processor.store.scripts import register

LEASE_MS = 30_000
"""How long a question that was taken is nobody else's, in milliseconds."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question: about a connection, or about a company where ``connection_id`` is ``None``."""

    aspect: Aspect
    company_id: str
    connection_id: str | None
    deadline: datetime
    reason: str

    @property
    def member(self) -> str:
        """Its name in Redis: one per aspect of a connection, so questions about the same coalesce."""
        return member_of(self.aspect, self.company_id, self.connection_id)


def member_of(aspect: Aspect, company_id: str, connection_id: str | None) -> str:
    """The name of a question in Redis."""
    return json.dumps([aspect.value, company_id, connection_id])


def write(pipe: "Pipeline[Any]", asks: Iterable[Ask]) -> None:
    """Add questions to a commit.

    One that waits already stays as it is, of several the earliest counts; one that is
    just being put to Codat is put again afterwards, because its answer may be older.
    """
    for ask in sorted(asks, key=lambda ask: ask.not_before):
        member = member_of(ask.aspect, ask.company_id, ask.connection_id)
        pipe.zadd(keys.questions(), {member: to_ms(ask.not_before)}, nx=True)
        not_before_ms = to_ms(ask.not_before)
        details = json.dumps(
            {"deadline": to_iso(ask.deadline), "reason": ask.reason, "not_before_ms": not_before_ms}
        )
        pipe.hsetnx(keys.question_details(), member, details)
        pipe.hset(keys.questions_again(), member, details)


def write_polling(pipe: "Pipeline[Any]", polling: PausePolling | ResumePolling, now: datetime) -> None:
    """Add to a commit: background questions pause, or go on."""
    if isinstance(polling, ResumePolling):
        pipe.delete(keys.polling_paused(), keys.quota(), keys.pace())
        return
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    until = polling.until or midnight
    if until > now:
        until = min(until, midnight)
        pipe.set(keys.polling_paused(), to_iso(until), pxat=to_ms(until))


class Questions:
    """Hands out questions that are due, and takes them back."""

    def __init__(self, client: "Redis[Any]") -> None:
        self._client = client
        self._lease = register(client, "lease")
        self._settle = register(client, "settle")

    def take(self, now: datetime, most: int) -> list[Question]:
        """Questions that are due; nobody else gets them for ``LEASE_MS``."""
        flat = self._lease(
            keys=[keys.questions(), keys.question_details(), keys.questions_again()],
            args=[to_ms(now), most, LEASE_MS],
        )
        taken = []
        for member, details in zip(flat[::2], flat[1::2], strict=True):
            try:
                taken.append(_read(member, details, now))
            except unreadable.FAULTS as error:
                unreadable.note(self._client, "question", repr(member), error)
        return taken

    def settle(self, *questions: Question, put: Callable[["Pipeline[Any]"], None] | None = None) -> None:
        """Forget questions that were answered or given up, and ``put`` the answer, in one transaction.

        Were the answer put first, handling it could ask again before the question is
        forgotten, and the new question would be forgotten with the old one.
        """
        with self._client.pipeline(transaction=True) as pipe:
            for question in questions:
                self._settle(
                    keys=[keys.questions(), keys.question_details(), keys.questions_again()],
                    args=[question.member],
                    client=pipe,
                )
            if put is not None:
                put(pipe)
            pipe.execute()

    def postpone(self, question: Question, until: datetime) -> None:
        """Put a question back until then."""
        self._client.zadd(keys.questions(), {question.member: to_ms(until)}, xx=True)

    def next_due(self) -> datetime | None:
        """When the earliest question is due; ``None`` when there is none."""
        first = self._client.zrange(keys.questions(), 0, 0, withscores=True)
        return datetime.fromtimestamp(first[0][1] / 1000, tz=UTC) if first else None


def _read(member: bytes, details: bytes, now: datetime) -> Question:
    aspect, company_id, connection_id = json.loads(member)
    said = json.loads(details) if details else {"deadline": to_iso(now), "reason": ""}
    return Question(Aspect(aspect), company_id, connection_id, from_iso(said["deadline"]), said["reason"])
