"""How questions are asked: pauses, deadlines, one step for answer and question, and errors."""

import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from redis import Redis

from handlers.events import Aspect
from processor.codat.client import CodatClient
from processor.codat.http import CodatHttp
from processor.errors import CodatRateLimited, CodatUnavailable
from processor.store import keys
from tests.support import cells, messages
from tests.support.counting import everything
from tests.support.workbench import Workbench
from tests.workers.codat.asking import BUDGET_S, PATIENCE_S, Codat, ask, linked, write
from workers.codat.questions import RETRY_S, QuestionRunner
from workers.inbox.drain import Drain


class Scripted:
    """Codat as a list of answers."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)

    def ask_connection(self, *_: object, **__: object) -> object:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    ask_history = ask_connection


def asking_of(codat: Codat, *answers: object, **options: Any) -> QuestionRunner:
    bench = codat.bench
    return QuestionRunner(
        questions=bench.questions,
        inbox=bench.inbox,
        reader=bench.reader,
        waker=bench.waker,
        asker=Scripted(*answers) if answers else None,  # type: ignore[arg-type]
        clock=bench.clock,
        **options,
    )


@pytest.mark.parametrize(
    ("error", "rest_s"),
    [(CodatUnavailable(), RETRY_S), (CodatRateLimited(17), 17), (CodatRateLimited(900), PATIENCE_S)],
    ids=["unavailable", "rate limited", "rate limited beyond the deadline"],
)
def test_an_unanswered_question_rests_and_keeps_its_deadline(
    codat: Codat, error: Exception, rest_s: float
) -> None:
    connection = codat.connect()
    write(codat, ask(codat, connection))
    (before,) = codat.bench.questions.take(codat.bench.clock(), 1)
    codat.bench.questions.postpone(before, codat.bench.clock())

    asking_of(codat, error).run()

    assert codat.bench.next_question() == codat.bench.clock() + timedelta(seconds=rest_s)
    assert codat.bench.waiting() == []
    (after,) = codat.bench.questions.take(codat.bench.clock() + timedelta(seconds=rest_s), 1)
    assert after == before


def test_a_question_beyond_its_deadline_that_nobody_answers_becomes_the_event_that_says_so(
    codat: Codat,
) -> None:
    connection = linked(codat)
    write(codat, ask(codat, connection))
    codat.bench.clock.forward(PATIENCE_S)

    asking_of(codat, CodatUnavailable()).run()

    assert codat.bench.next_question() is None
    codat.bench.drain_all()
    last = codat.bench.timeline(connection.id)[-1]
    assert (last["event_type"], last["source"]) == ("codat-api.unanswered", "codat-api")


def test_a_codat_that_hangs_does_not_stretch_the_patience_with_news(codat: Codat) -> None:
    """Codat accepted the request and said nothing: the news waited for the whole budget of the call."""
    connection = linked(codat)
    write(codat, ask(codat, connection))
    codat.bench.clock.forward(PATIENCE_S)
    codat.break_down(hang_s=600.0)
    with CodatClient(
        CodatHttp(api_key="key", base_url=codat.url, timeout_s=BUDGET_S, budget_s=BUDGET_S)
    ) as patient:
        began = time.monotonic()
        codat.asking_with(patient, min_time_limit_s=0.2).run()
        took_s = time.monotonic() - began

    codat.answer_again()
    assert took_s < BUDGET_S / 2
    codat.bench.drain_all()
    assert codat.bench.timeline(connection.id)[-1]["event_type"] == "codat-api.unanswered"


def test_an_unanswered_question_about_a_company_concerns_no_connection_and_is_forgotten(codat: Codat) -> None:
    write(codat, ask(codat, None, aspect=Aspect.HISTORY, deadline_s=0))

    asking_of(codat, CodatUnavailable()).run()

    assert codat.bench.next_question() is None
    assert codat.bench.waiting() == []


def test_without_a_key_a_question_is_forgotten(codat: Codat) -> None:
    write(codat, ask(codat, codat.connect()))

    assert asking_of(codat).run() == 1

    assert codat.bench.next_question() is None
    assert codat.bench.waiting() == []


def test_the_answer_comes_and_the_question_goes_in_one_step(codat: Codat, redis_url: str) -> None:
    """Seen from outside there is never the answer with its question still open, nor neither of them."""
    connection = linked(codat)
    write(codat, ask(codat, connection))
    with Redis.from_url(redis_url) as watcher, watcher.monitor() as monitor:
        codat.asking.run()
        watcher_done = codat.bench.client.echo("done")
        assert watcher_done == b"done"
        seen = []
        for command in monitor.listen():
            name = command["command"].split(" ")[0].upper()
            if name == "ECHO":
                break
            seen.append(name)

    begin, end = seen.index("MULTI"), seen.index("EXEC")
    assert {"ZREM", "HDEL", "EVALSHA", "XADD"} <= set(seen[begin:end])
    assert "XADD" not in seen[:begin]


def test_the_cell_is_woken_for_the_answer(codat: Codat) -> None:
    connection = linked(codat)
    codat.bench.client.delete(*[f"rq:queue:{name}" for name in ("drain", "ask")])
    write(codat, ask(codat, connection))

    codat.asking.run()

    assert codat.bench.jobs()["workers.jobs.drain"] == [[]]


def test_what_is_asked_at_once_is_asked_at_once(codat: Codat) -> None:
    connection = codat.connect()
    codat.bench.handle(messages.status_alert(connection.company, connection.id, "PendingAuth", "Linked"))

    assert codat.bench.asked == 1


def test_asking_ends_when_it_is_told_to(codat: Codat) -> None:
    write(codat, ask(codat, codat.connect()))
    before = everything(codat.bench.client)

    assert asking_of(codat, CodatUnavailable(), stop=lambda: True).run() == 0
    assert everything(codat.bench.client) == before


def test_many_questions_are_asked_each_once(codat: Codat) -> None:
    company = codat.world.create_company("Toft stores").id
    connections = [codat.connect("gbol", company) for _ in range(25)]
    write(codat, *[ask(codat, connection) for connection in connections])

    assert codat.asking.run() == 25

    codat.bench.drain_all()
    assert [len(codat.bench.timeline(connection.id)) for connection in connections] == [1] * 25


def test_a_fault_of_ours_in_one_question_does_not_take_the_others_with_it(codat: Codat) -> None:
    """What one question raises is logged; the rest of the batch is asked, and it is tried again itself."""
    connection = linked(codat)
    bad = SimpleNamespace(id="connection-0", company="company-0")
    write(codat, ask(codat, bad), ask(codat, connection))
    codat.bench.client.set(cells.where(codat.bench.client, keys.connection, "connection-0"), "damaged")

    codat.asking.run()
    codat.bench.client.delete(cells.where(codat.bench.client, keys.connection, "connection-0"))

    codat.bench.drain_all()
    assert codat.bench.timeline(connection.id)[-1]["source"] == "codat-api"
    assert cells.count(codat.bench.client, keys.questions) == 1


def test_the_drain_asks_nobody_without_a_key(bench: Workbench) -> None:
    bench.handle(messages.status_alert("company-1", "connection-1", "PendingAuth", "Linked"))

    assert isinstance(bench.drain(), Drain)
    assert bench.next_question() is None
    assert bench.state("connection-1") == "authorized"
