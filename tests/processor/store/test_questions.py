"""Questions wait until they are due, are handed out once, and are forgotten with their answer."""

from datetime import timedelta

import pytest

from handlers.effects import Ask, PausePolling, ResumePolling
from handlers.events import Aspect
from processor.clock import from_iso, to_iso, to_ms
from processor.store import keys, questions
from processor.store.questions import LEASE_MS, Questions
from tests.support import cells, messages

NOW = messages.LONG_AGO
SOON = timedelta(seconds=3)
LEASE = timedelta(milliseconds=LEASE_MS)


def ask(number=1, *, after=timedelta(0), deadline=timedelta(seconds=60), aspect=Aspect.CONNECTION):
    return Ask(aspect, "company-1", f"connection-{number}", NOW + after, NOW + deadline, "because")


@pytest.fixture
def write(client):
    """Commits questions."""

    def write(*asks):
        with client.pipeline(transaction=True) as pipe:
            questions.write(pipe, keys.cell_of(asks[0].company_id), asks)
            pipe.execute()

    return write


@pytest.fixture
def waiting(client):
    """The questions themselves."""
    return Questions(client)


def test_a_question_is_handed_out_when_it_is_due(client, waiting, write):
    write(ask(after=SOON))

    assert cells.next_question(client) == NOW + SOON
    assert waiting.take(NOW, 10) == []
    (taken,) = waiting.take(NOW + SOON, 10)
    assert (taken.aspect, taken.company_id, taken.connection_id) == (
        Aspect.CONNECTION,
        "company-1",
        "connection-1",
    )
    assert (taken.deadline, taken.reason) == (NOW + timedelta(seconds=60), "because")


def test_it_is_handed_out_to_one_only_until_its_lease_is_over(waiting, write):
    write(ask())

    assert len(waiting.take(NOW, 10)) == 1
    assert waiting.take(NOW + LEASE - timedelta(milliseconds=1), 10) == []
    assert len(waiting.take(NOW + LEASE, 10)) == 1


def test_no_more_are_handed_out_than_wanted_the_earliest_first(waiting, write):
    write(ask(1, after=SOON), ask(2), ask(3, after=SOON * 2))

    assert [item.connection_id for item in waiting.take(NOW + SOON * 9, 2)] == [
        "connection-2",
        "connection-1",
    ]


def test_of_several_in_one_commit_the_earliest_counts(client, waiting, write):
    write(ask(after=SOON, deadline=timedelta(seconds=90)), ask(), ask(after=SOON * 2))

    assert cells.next_question(client) == NOW
    assert cells.count(client, keys.questions) == 1
    assert waiting.take(NOW, 10)[0].deadline == NOW + timedelta(seconds=60)


def test_questions_about_different_things_do_not_coalesce(waiting, write):
    whole = Ask(Aspect.HISTORY, "company-1", None, NOW, NOW + SOON, "")
    write(ask(1), ask(2), ask(1, aspect=Aspect.HISTORY), whole)

    assert len(waiting.take(NOW, 10)) == 4


def test_a_settled_question_is_gone_with_its_details(client, waiting, write):
    write(ask())
    (taken,) = waiting.take(NOW, 1)

    waiting.settle(taken)

    assert (
        cells.count(client, keys.questions),
        client.hlen(keys.question_details(keys.cell_of("company-1"))),
    ) == (0, 0)
    assert cells.next_question(client) is None


def test_the_answer_is_put_in_the_same_transaction(client, waiting, write):
    write(ask())
    (taken,) = waiting.take(NOW, 1)

    def put(pipe):
        assert cells.count(client, keys.questions) == 1
        pipe.set(keys.counters(0), "answer")
        assert not client.exists(keys.counters(0))

    waiting.settle(taken, put=put)

    assert (client.get(keys.counters(0)), cells.count(client, keys.questions)) == (b"answer", 0)


def test_a_question_stays_when_its_answer_cannot_be_put(client, waiting, write):
    write(ask())
    (taken,) = waiting.take(NOW, 1)

    def put(_):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        waiting.settle(taken, put=put)
    assert cells.count(client, keys.questions) == 1


def test_a_postponed_question_comes_back_with_its_deadline(waiting, write):
    write(ask())
    (taken,) = waiting.take(NOW, 1)

    waiting.postpone(taken, NOW + SOON)

    assert waiting.take(NOW, 1) == []
    assert waiting.take(NOW + SOON, 1) == [taken]


def test_a_question_that_was_settled_meanwhile_is_not_postponed(client, waiting, write):
    write(ask())
    (taken,) = waiting.take(NOW, 1)
    waiting.settle(taken)

    waiting.postpone(taken, NOW)

    assert cells.count(client, keys.questions) == 0


def test_what_is_asked_anew_while_the_question_is_under_way_is_asked_again(waiting, write):
    """Codat may have looked before the new doubt arose, so its answer does not settle that."""
    write(ask())
    (taken,) = waiting.take(NOW, 1)
    write(ask(after=timedelta(seconds=1), deadline=timedelta(seconds=61)))

    waiting.settle(taken)

    assert len(waiting.take(NOW + LEASE, 10)) == 1


def test_a_question_whose_details_are_lost_is_still_handed_out(client, waiting, write):
    write(ask())
    cells.delete(client, keys.question_details)

    (taken,) = waiting.take(NOW, 1)

    assert (taken.connection_id, taken.deadline) == ("connection-1", NOW)


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        (timedelta(hours=2), timedelta(hours=2)),
        (timedelta(days=9), timedelta(hours=12)),  # 12:00 to midnight
        (None, timedelta(hours=12)),
        (timedelta(hours=-1), None),
    ],
    ids=["as said", "not beyond midnight", "unsaid", "over already"],
)
def test_polling_pauses_until_the_quota_is_full_again(client, until, expected):
    real = messages.datetime.now(messages.UTC)
    now = real.replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)
    with client.pipeline(transaction=True) as pipe:
        questions.write_polling(pipe, PausePolling(None if until is None else now + until), now)
        pipe.execute()

    paused_until = client.get(keys.polling_paused())
    assert (paused_until and from_iso(paused_until.decode())) == (
        None if expected is None else now + expected
    )
    if expected is not None:
        assert client.pexpiretime(keys.polling_paused()) == to_ms(now + expected)


def test_polling_goes_on(client):
    client.set(keys.polling_paused(), to_iso(NOW))
    with client.pipeline(transaction=True) as pipe:
        questions.write_polling(pipe, ResumePolling(), NOW)
        pipe.execute()

    assert not client.exists(keys.polling_paused())
