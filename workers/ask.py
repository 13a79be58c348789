"""Asking Codat: questions that are due out, answers into the inbox as ordinary events."""

import logging
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from redis import RedisError

from handlers.events import Aspect, Company, ConnectionDetails, Event, QuestionUnanswered, Source
from handlers.facts import Kind
from processor import times
from processor.codat import findings
from processor.codat.asking import Asker
from processor.errors import CodatError, CodatRateLimited, CodatUnavailable
from processor.queues import Bell
from processor.store.inbox import Inbox
from processor.store.questions import Question, Questions
from processor.store.reader import Reader

_log = logging.getLogger(__name__)

AT_ONCE = 10
"""Requests at a time; Codat allows ten per company."""

AGAIN_S = 3.0
"""How long a question rests that Codat did not answer, in seconds."""


class Asking:
    """Puts questions to Codat. ``asker`` is ``None`` without an API key: then nothing is ever asked."""

    def __init__(
        self,
        *,
        questions: Questions,
        inbox: Inbox,
        reader: Reader,
        bell: Bell,
        asker: Asker | None,
        clock: Callable[[], datetime] = times.now,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._questions = questions
        self._inbox = inbox
        self._reader = reader
        self._bell = bell
        self._asker = asker
        self._clock = clock
        self._stop = stop

    def run(self) -> int:
        """Ask what is due until nothing is; how many questions were dealt with."""
        dealt = 0
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="ask") as pool:
            while not self._stop():
                due = self._questions.take(self._clock(), AT_ONCE)
                if not due:
                    break
                for _ in pool.map(self._deal, due):
                    dealt += 1
        return dealt

    def _deal(self, question: Question) -> None:
        try:
            answer = self._ask(question)
        except CodatError as error:
            self._unanswered(question, error)
            return
        except RedisError:
            raise
        except Exception as error:
            _log.exception("asking Codat raised", extra={"company_id": question.company_id})
            self._unanswered(question, CodatUnavailable(type(error).__name__))
            return
        self._put(question, answer)

    def _ask(self, question: Question) -> Event | None:
        if self._asker is None:
            return None
        event_id = f"codat-api-{secrets.token_hex(16)}"
        if question.aspect is Aspect.HISTORY:
            named = () if question.connection_id is None else (question.connection_id,)
            return self._asker.ask_history(question.company_id, named, event_id=event_id)
        if question.connection_id is None:
            return None
        return self._asker.ask_connection(
            question.company_id,
            question.connection_id,
            event_id=event_id,
            seen_before=self._was_seen(question.connection_id),
        )

    def _was_seen(self, connection_id: str) -> bool:
        """Whether our key was shown this connection before."""
        stored = self._reader.connection(connection_id)
        return stored is not None and any(
            fact.kind is Kind.SEEN and not fact.claimed for fact in stored.connection.facts
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
            rest_s = float(error.retry_after_s) if isinstance(error, CodatRateLimited) else AGAIN_S
            again = min(now + timedelta(seconds=rest_s), question.deadline)
            self._questions.postpone(question, again)
            return
        self._put(question, self._silence(question, now))

    def _silence(self, question: Question, now: datetime) -> Event | None:
        """The event that says that nobody answered; ``None`` where it would concern no connection."""
        if question.connection_id is None:
            return None
        return QuestionUnanswered(
            event_id=f"codat-api-{secrets.token_hex(16)}",
            event_type="codat-api.unanswered",
            source=Source.CODAT_API,
            received_at=now,
            at=now,
            timed=False,
            company=Company(question.company_id),
            connection=ConnectionDetails(question.connection_id),
            aspect=question.aspect,
        )

    def _put(self, question: Question, event: Event | None) -> None:
        if event is None:
            self._questions.settle(question)
            return
        body = findings.encode(event)
        self._questions.settle(question, lambda pipe: self._inbox.add(pipe, event, body))
        self._bell.wake_shard(self._inbox.shard_of(event))
