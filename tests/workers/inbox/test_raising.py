"""A message whose handling raises: recorded, tried again on schedule, dead in the end, and replayed."""

import gc
import itertools
from datetime import timedelta

import pytest
from rq.timeouts import JobTimeoutException

from processor.clock import to_iso, to_ms
from processor.store import keys
from processor.store.message_records import INDEXED_STATUSES
from processor.store.waker import HANDLING_RETRIES
from tests.support import cells, messages
from tests.support.workbench import company_in
from workers.inbox import drain

COMPANY = company_in(1)
CELL = 1

pytestmark = pytest.mark.usefixtures("lasting_flags")


def body(number=1):
    return messages.connected(COMPANY, f"connection-{number}")


def indexes(bench, event_id):
    """The statuses under which a message is listed."""
    return [
        status
        for status in INDEXED_STATUSES
        if cells.score(bench.client, keys.events_of, event_id, status) is not None
    ]


def fail_until_dead(bench, event_id):
    """Let every attempt happen at its time; the times of the attempts, in seconds from the first."""
    began, times = bench.clock(), []
    clock = bench.ticking()
    bench.drain_all()
    while bench.status(event_id) == "failed":
        times.append((bench.clock() - began).total_seconds())
        due = cells.score(bench.client, keys.retries, event_id)
        bench.clock.now += timedelta(milliseconds=due - to_ms(bench.clock()))
        clock.tick()
        bench.drain_all()
    return [*times, (bench.clock() - began).total_seconds()]


def test_what_one_message_raises_is_recorded_and_the_rest_of_the_batch_goes_on(bench):
    ids = [bench.send(body(number))[0].event_id for number in range(3)]
    bench.corrupt(ids[1])

    assert bench.drain().run(CELL).handled == 3

    assert [bench.status(event_id) for event_id in ids] == ["processed", "failed", "processed"]
    assert [bench.state(f"connection-{number}") for number in range(3)] == ["authorized", None, "authorized"]
    event = bench.event(ids[1])
    assert "Traceback" in event["error"]
    assert "Unrecognised" in event["error"]
    assert event["attempts"] == 1
    assert event["next_attempt_at"] == to_iso(bench.clock() + HANDLING_RETRIES[0])
    assert indexes(bench, ids[1]) == ["failed"]
    assert bench.waiting() == []
    assert bench.client.hmget(keys.counters(CELL), "handling_failures", "processed") == [b"1", b"2"]


def test_a_job_that_ran_out_of_time_is_no_fault_of_the_message_that_was_handled_then(bench, monkeypatch):
    (event_id,) = (one.event_id for one in bench.send(body()))

    def too_late(_message, **_how):
        raise JobTimeoutException("the job took too long")

    with monkeypatch.context() as patched:
        patched.setattr(drain, "decode_event", too_late)
        with pytest.raises(JobTimeoutException):
            bench.drain().run(CELL)
    assert bench.status(event_id) == "pending"
    assert not bench.event(event_id)["error"]

    bench.drain_all()
    assert bench.status(event_id) == "processed"


def test_a_job_that_runs_out_of_time_anywhere_leaves_the_search_for_cycles_on(bench, monkeypatch):
    disable = gc.disable

    def late():
        disable()
        raise JobTimeoutException

    bench.send(messages.connected("company-1", "connection-1"))
    monkeypatch.setattr(gc, "disable", late)
    with pytest.raises(JobTimeoutException):
        bench.drain().run(keys.cell_of("company-1"))
    assert gc.isenabled()


def test_it_is_tried_again_at_its_time_and_not_before(bench):
    (event_id,) = (one.event_id for one in bench.send(body()))
    repair = bench.corrupt(event_id)
    bench.drain_all()
    repair()
    clock = bench.ticking()

    bench.clock.forward(HANDLING_RETRIES[0].total_seconds() - 0.001)
    clock.tick()
    assert (bench.status(event_id), bench.waiting()) == ("failed", [])

    bench.clock.forward(0.001)
    clock.tick()
    assert (bench.status(event_id), bench.waiting()) == ("pending", [CELL])
    assert bench.jobs()["workers.jobs.drain"] == [[]]
    bench.drain_all()

    assert (bench.status(event_id), indexes(bench, event_id)) == ("processed", [])
    assert bench.told_types() == ["connection.authorized"]
    assert bench.event(event_id)["next_attempt_at"] is None
    assert cells.count(bench.client, keys.retries) == 0


def test_after_the_last_attempt_it_is_a_dead_letter(bench):
    (event_id,) = (one.event_id for one in bench.send(body()))
    bench.corrupt(event_id)

    attempts = fail_until_dead(bench, event_id)

    waits = [later - earlier for earlier, later in itertools.pairwise(attempts)]
    assert waits == [wait.total_seconds() for wait in HANDLING_RETRIES]
    event = bench.event(event_id)
    assert (event["status"], event["attempts"]) == ("dead", len(HANDLING_RETRIES) + 1)
    assert "Traceback" in event["error"]
    assert indexes(bench, event_id) == ["dead"]
    assert cells.count(bench.client, keys.retries) == 0
    assert cells.counter(bench.client, "dead_letters") == 1
    bench.clock.forward(10 * 24 * 3600)
    bench.ticking().tick()
    assert bench.waiting() == []


def test_a_dead_letter_has_no_time_of_a_next_attempt(bench):
    """The time of the last attempt, long past, was shown as that of the next."""
    (event_id,) = (one.event_id for one in bench.send(body()))
    bench.corrupt(event_id)

    fail_until_dead(bench, event_id)

    assert bench.event(event_id)["next_attempt_at"] is None


def test_a_dead_letter_that_is_replayed_after_the_repair_is_applied(bench):
    (event_id,) = (one.event_id for one in bench.send(body()))
    repair = bench.corrupt(event_id)
    fail_until_dead(bench, event_id)
    repair()

    assert bench.inbox.requeue(event_id, status="dead", cell=CELL) == (True, True)
    assert (bench.status(event_id), indexes(bench, event_id)) == ("pending", [])
    bench.drain_all()

    assert (bench.status(event_id), indexes(bench, event_id)) == ("processed", [])
    assert bench.state("connection-1") == "authorized"
    assert bench.told_types() == ["connection.authorized"]


def test_a_dead_letter_that_is_replayed_in_vain_is_dead_again(bench):
    (event_id,) = (one.event_id for one in bench.send(body()))
    bench.corrupt(event_id)
    fail_until_dead(bench, event_id)

    bench.inbox.requeue(event_id, status="dead", cell=CELL)
    fail_until_dead(bench, event_id)

    assert (bench.status(event_id), indexes(bench, event_id)) == ("dead", ["dead"])


def test_a_message_that_was_handled_at_last_shows_no_error_any_more(bench):
    (event_id,) = (one.event_id for one in bench.send(body()))
    repair = bench.corrupt(event_id)
    bench.drain_all()
    repair()
    bench.clock.forward(HANDLING_RETRIES[0].total_seconds())
    bench.ticking().tick()
    bench.drain_all()

    assert not bench.event(event_id).get("error")


def test_a_failed_message_can_be_replayed_before_its_time_and_is_not_tried_twice(bench):
    (event_id,) = (one.event_id for one in bench.send(body()))
    repair = bench.corrupt(event_id)
    bench.drain_all()
    repair()

    bench.inbox.requeue(event_id, status="failed", cell=CELL)
    bench.drain_all()
    bench.clock.forward(3600)
    bench.ticking().tick()

    assert bench.waiting() == []
    assert len(bench.timeline("connection-1")) == 1


def test_two_that_raise_do_not_hinder_each_other(bench):
    ids = [bench.send(body(number))[0].event_id for number in range(20)]
    for event_id in ids[::2]:
        bench.corrupt(event_id)
    clock = bench.ticking()
    bench.drain_all()
    bench.clock.forward(HANDLING_RETRIES[0].total_seconds())
    clock.tick()
    bench.drain_all()

    assert {bench.event(event_id)["attempts"] for event_id in ids[::2]} == {2}
    assert {bench.status(event_id) for event_id in ids[1::2]} == {"processed"}


def test_a_body_or_a_secret_is_not_in_the_recorded_error(bench):
    (event_id,) = (one.event_id for one in bench.send(body()))
    cells.change_message(bench.client, event_id, b'[1, 2, "something that nobody may see"]')
    bench.drain_all()

    assert "something that nobody may see" not in bench.event(event_id)["error"]


def test_a_finding_of_ours_that_is_damaged_is_recorded_like_any_other(bench):
    (event_id,) = (one.event_id for one in bench.send(body()))
    cells.change_message(bench.client, event_id, source="codat-api")
    bench.drain_all()

    assert bench.status(event_id) == "failed"


def test_what_is_stored_of_a_connection_and_damaged_stops_only_the_messages_that_need_it(bench):
    """One unreadable document must not keep a whole cell waiting."""
    bench.handle(body(1))
    bench.client.set(cells.where(bench.client, keys.connection, "connection-1"), "damaged")
    ids = [bench.send(one)[0].event_id for one in (body(1), body(2))]

    bench.drain().run(CELL)

    assert [bench.status(event_id) for event_id in ids] == ["failed", "processed"]
