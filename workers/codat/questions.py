"""Asks Codat the due questions and puts the answers into the inbox as events."""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from redis import RedisError
from redis.client import Pipeline

from handlers.events import Aspect, Company, CompanyNotShown, ConnectionSeen, Event, HistorySeen
from handlers.facts import FactKind
from processor.codat import observations
from processor.codat.errors import CompanyUnseen
from processor.codat.http import call_time_limit
from processor.codat.questions import QuestionClient
from processor.errors import CodatError, CodatRateLimited, CodatUnavailable
from processor.store import visibility
from processor.store.each_cell import grouped
from processor.store.inbox import Inbox
from processor.store.queries import Reader
from processor.store.questions import Question, Questions
from processor.store.waker import Waker

_log = logging.getLogger(__name__)

CONCURRENCY = 10
"""Concurrent requests; Codat allows ten per company."""

BATCH_SIZE = 40
"""Questions taken together, so that those about one company share a request."""

RUN_S = 20.0
"""A run takes no more questions after this time; started requests are finished."""

RETRY_S = 3.0
"""Pause before an unanswered question is asked again."""

UNSEEN_RETRY_S = 10.0
"""The same if Codat does not know the company, which may be new."""

MIN_TIME_LIMIT_S = 2.0
"""Shortest time limit of a request, even close to the deadline of its question."""


class QuestionRunner:
    """Asks Codat. Without an API key ``asker`` is ``None``, and questions are removed unasked."""

    def __init__(
        self,
        *,
        questions: Questions,
        inbox: Inbox,
        reader: Reader,
        waker: Waker,
        asker: QuestionClient | None,
        clock: Callable[[], datetime],
        stop: Callable[[], bool] = lambda: False,
        min_time_limit_s: float = MIN_TIME_LIMIT_S,
    ) -> None:
        self._questions = questions
        self._inbox = inbox
        self._reader = reader
        self._waker = waker
        self._asker = asker
        self._clock = clock
        self._stop = stop
        self._min_time_limit_s = min_time_limit_s

    def run(self) -> int:
        """Ask due questions until none is due or ``RUN_S`` has passed; returns their number.

        Questions about the same aspect of one company share a request.
        """
        began, handled = time.monotonic(), 0
        with ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="ask") as pool:
            while not self._stop() and time.monotonic() - began < RUN_S:
                due = self._questions.take(self._clock(), BATCH_SIZE)
                if not due:
                    break
                groups = grouped(((question.aspect, question.company_id), question) for question in due)
                for count in pool.map(self._answer, groups.values()):
                    handled += count
        return handled

    def _answer(self, questions: list[Question]) -> int:
        time_left = min(question.deadline for question in questions) - self._clock()
        try:
            with call_time_limit(max(self._min_time_limit_s, time_left.total_seconds())):
                self._ask(questions)
        except CodatError as error:
            for question in questions:
                self._retry_or_give_up(question, error)
        except RedisError:
            raise
        except Exception as error:
            _log.exception("asking Codat raised", extra={"company_id": questions[0].company_id})
            for question in questions:
                self._retry_or_give_up(question, CodatUnavailable(type(error).__name__))
        return len(questions)

    def _ask(self, questions: list[Question]) -> None:
        """Ask questions about one aspect of one company, and put the answers into the inbox."""
        first = questions[0]
        if self._asker is None:
            self._put(*questions, event=None)
        elif first.aspect is Aspect.HISTORY:
            named = _connection_ids(questions)
            asked_for = named if len(named) == len(questions) else ()
            event = self._asker.ask_history(first.company_id, asked_for)
            self._put(*questions, event=event)
        elif len(questions) == 1:
            self._put(first, event=self._ask_about(self._asker, first))
        else:
            ids = _connection_ids(questions)
            try:
                events = self._asker.ask_connections(first.company_id, ids)
            except CompanyUnseen:
                events = {}  # asked one by one: a connection that was seen before is gone
            for question in questions:
                seen = events.get(question.connection_id or "")
                if seen is not None:
                    self._put(question, event=seen)
                else:
                    self._answer([question])

    def _ask_about(self, asker: QuestionClient, question: Question) -> Event | None:
        if question.connection_id is None:
            return None
        return asker.ask_connection(
            question.company_id, question.connection_id, seen_before=self._was_seen(question.connection_id)
        )

    def _was_seen(self, connection_id: str) -> bool:
        """Whether Codat has shown this connection to this API key."""
        stored = self._reader.connection(connection_id)
        return stored is not None and any(
            fact.kind is FactKind.SEEN and not fact.claimed for fact in stored.connection.facts
        )

    def _retry_or_give_up(self, question: Question, error: CodatError) -> None:
        now = self._clock()
        _log.warning(
            "Codat did not answer a question",
            extra={
                "company_id": question.company_id,
                "connection_id": question.connection_id,
                "aspect": question.aspect.value,
                "error": type(error).__name__,
                "correlation_id": error.correlation_id,
            },
        )
        if now < question.deadline:
            pause_s = RETRY_S
            if isinstance(error, CodatRateLimited):
                pause_s = float(error.retry_after_s)
            elif isinstance(error, CompanyUnseen):
                pause_s = UNSEEN_RETRY_S
            next_attempt = min(now + timedelta(seconds=pause_s), question.deadline)
            self._questions.postpone(question, next_attempt)
            return
        self._put(question, event=self._unanswered_event(question, now, error))

    def _unanswered_event(self, question: Question, now: datetime, error: CodatError) -> Event | None:
        """The event that Codat did not answer or does not know the company; ``None`` without a connection."""
        if question.connection_id is None:
            return None
        return observations.question_unanswered(
            question.connection_id,
            question.aspect,
            received_at=now,
            company=Company(question.company_id),
            unknown=isinstance(error, CompanyUnseen),
        )

    def _put(self, *questions: Question, event: Event | None) -> None:
        if event is None:
            self._questions.settle(*questions)
            return
        body = observations.encode(event)

        def put(pipe: "Pipeline[Any]") -> None:
            self._inbox.add(pipe, event, body)
            if isinstance(event, ConnectionSeen | HistorySeen):
                visibility.mark_shown(pipe, [questions[0].company_id])
            elif isinstance(event, CompanyNotShown):
                visibility.mark_not_shown(pipe, questions[0].company_id, self._clock())

        self._questions.settle(*questions, put=put)
        self._waker.wake_drain()


def _connection_ids(questions: Sequence[Question]) -> tuple[str, ...]:
    return tuple(question.connection_id for question in questions if question.connection_id is not None)
