"""Asking Codat: questions that are due out, answers into the inbox as ordinary events."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from redis import RedisError
from redis.client import Pipeline

from handlers.events import Aspect, Company, CompanyNotShown, ConnectionSeen, Event, HistorySeen
from handlers.facts import FactKind
from processor.clock import utc_now
from processor.codat import observations
from processor.codat.errors import CompanyUnseen
from processor.codat.http import call_time_limit
from processor.codat.observations import new_id
from processor.codat.questions import QuestionClient
from processor.errors import CodatError, CodatRateLimited, CodatUnavailable
from processor.store import visibility
from processor.store.inbox import Inbox
from processor.store.queries import Reader
from processor.store.questions import Question, Questions
from processor.store.waker import Waker

_log = logging.getLogger(__name__)

AT_ONCE = 10
"""Requests at a time; Codat allows ten per company."""

TAKEN = 40
"""Questions taken together, so that those about one company meet."""

RUN_S = 20.0
"""A run hands over after so long, in seconds; what was begun, which may wait for Codat, is finished first."""

AGAIN_S = 3.0
"""How long a question rests that Codat did not answer, in seconds."""


UNSEEN_AGAIN_S = 10.0
"""How long it rests where Codat says that it does not know the company, which may be new, in seconds."""

LEAST_S = 2.0
"""How long Codat has for an answer, in seconds, however near the deadline of the question is."""


class QuestionRunner:
    """Puts questions to Codat. ``asker`` is ``None`` without an API key: then nothing is ever asked."""

    def __init__(
        self,
        *,
        questions: Questions,
        inbox: Inbox,
        reader: Reader,
        waker: Waker,
        asker: QuestionClient | None,
        clock: Callable[[], datetime] = utc_now,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._questions = questions
        self._inbox = inbox
        self._reader = reader
        self._waker = waker
        self._asker = asker
        self._clock = clock
        self._stop = stop

    def run(self) -> int:
        """Ask what is due until nothing is, or it is time to hand over; how many questions were dealt with.

        Questions of the same kind about one company are one request, however many they are.
        """
        began, dealt = time.monotonic(), 0
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="ask") as pool:
            while not self._stop() and time.monotonic() - began < RUN_S:
                due = self._questions.take(self._clock(), TAKEN)
                if not due:
                    break
                groups: dict[tuple[Aspect, str], list[Question]] = {}
                for question in due:
                    groups.setdefault((question.aspect, question.company_id), []).append(question)
                for count in pool.map(self._deal, groups.values()):
                    dealt += count
        return dealt

    def _deal(self, questions: list[Question]) -> int:
        left = min(question.deadline for question in questions) - self._clock()
        try:
            with call_time_limit(max(LEAST_S, left.total_seconds())):
                self._ask(questions)
        except CodatError as error:
            self._all_unanswered(questions, error)
        except RedisError:
            raise
        except Exception as error:
            _log.exception("asking Codat raised", extra={"company_id": questions[0].company_id})
            self._all_unanswered(questions, CodatUnavailable(type(error).__name__))
        return len(questions)

    def _all_unanswered(self, questions: list[Question], error: CodatError) -> None:
        for question in questions:
            self._unanswered(question, error)

    def _ask(self, questions: list[Question]) -> None:
        """Ask one question, or several of the same kind about one company, and put the answers."""
        first = questions[0]
        if self._asker is None:
            self._put(*questions, event=None)
        elif first.aspect is Aspect.HISTORY:
            named = tuple(one.connection_id for one in questions if one.connection_id is not None)
            wanted = named if len(named) == len(questions) else ()
            event = self._asker.ask_history(first.company_id, wanted, event_id=new_id())
            self._put(*questions, event=event)
        elif len(questions) == 1:
            self._put(first, event=self._ask_one(self._asker, first))
        else:
            ids = [one.connection_id for one in questions if one.connection_id is not None]
            try:
                seen = self._asker.ask_connections(first.company_id, ids, new_event_id=new_id)
            except CompanyUnseen:
                seen = {}  # each for itself: what we were shown before is gone
            for question in questions:
                shown = seen.get(question.connection_id or "")
                if shown is not None:
                    self._put(question, event=shown)
                else:
                    self._deal([question])

    def _ask_one(self, asker: QuestionClient, question: Question) -> Event | None:
        if question.connection_id is None:
            return None
        return asker.ask_connection(
            question.company_id,
            question.connection_id,
            event_id=new_id(),
            seen_before=self._was_seen(question.connection_id),
        )

    def _was_seen(self, connection_id: str) -> bool:
        """Whether our key was shown this connection before."""
        stored = self._reader.connection(connection_id)
        return stored is not None and any(
            fact.kind is FactKind.SEEN and not fact.claimed for fact in stored.connection.facts
        )

    def _unanswered(self, question: Question, error: CodatError) -> None:
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
            rest_s = AGAIN_S
            if isinstance(error, CodatRateLimited):
                rest_s = float(error.retry_after_s)
            elif isinstance(error, CompanyUnseen):
                rest_s = UNSEEN_AGAIN_S
            again = min(now + timedelta(seconds=rest_s), question.deadline)
            self._questions.postpone(question, again)
            return
        self._put(question, event=self._silence(question, now, error))

    def _silence(self, question: Question, now: datetime, error: CodatError) -> Event | None:
        """The event that says that Codat did not answer, or does not know the company.

        ``None`` where it would concern no connection.
        """
        if question.connection_id is None:
            return None
        return observations.question_unanswered(
            question.connection_id,
            question.aspect,
            event_id=new_id(),
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
        self._waker.wake_shard(self._inbox.shard_of(event))
