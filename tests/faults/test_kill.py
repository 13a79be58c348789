"""``kill -9`` of parts and of everything: what got a 2xx is kept and takes effect once."""

import signal
import threading
from collections import Counter

import pytest

from processor.store import keys
from tests.support import cells
from tests.support.service import (
    LIMIT_S,
    Sender,
    applied,
    is_alive,
    is_done,
    messages_of,
    start_s,
    until,
)

pytestmark = pytest.mark.timeout(600)

STOPPED_WITHIN_S = 30
"""Ten seconds are enough, after which the last process would be killed by ours; a busy machine gets more."""

KILLED = "Process killed, for it did not end in time"
"""What a machine so busy makes ours say; the children of whatever was killed end by themselves then."""

RECOVERED_WITHIN_S = 30
"""A few seconds are enough, and RQ alone takes more than a minute; a busy machine starts processes slowly."""

STARTS = 4
"""A recovery may take the time of so many starts of a process, where that is more."""


def told_once(bench, *, connections=40):
    """What was told: both milestones of each connection, each once, and each once on the stream."""
    told = Counter((one["data"]["connection_id"], one["type"]) for one in bench.told())
    types = ("connection.authorized", "initial_sync.completed")
    assert told == {(f"connection-{n}", kind): 1 for n in range(connections) for kind in types}
    assert len({one["id"] for one in bench.told()}) == 2 * connections
    until(lambda: len(bench.published()) >= 2 * connections)
    assert sorted(one["id"] for one in bench.published()) == sorted(one["id"] for one in bench.told())


def has_handled(service, number):
    """Whether at least this number of messages was handled."""
    return handled(service) >= number


def handled(service):
    """How many messages were handled, by the counter that each commit raises."""
    return cells.counter(service.redis(), "processed")


def test_workers_that_are_killed_in_the_middle_of_many_messages_lose_none_and_repeat_none(service):
    """They stand still until all wait, and die as soon as the first of many batches is committed.

    One cell is out of their sight until then: something is left, however late they die.
    """
    bodies = messages_of(1_200)
    workers = service.working()
    watching = {service.parent_of(pid) for pid in workers}  # it would kill what stands still for long
    service.kill(*watching, *workers, number=signal.SIGSTOP)
    sender = Sender(service)
    sender.send(bodies)
    assert sender.accepted == sorted(bodies)
    assert handled(service) == 0
    cell = keys.cell_of("company-0")
    inbox, aside = keys.inbox(cell), "out-of-sight"
    service.redis().rename(inbox, aside)

    service.kill(*watching, *workers, number=signal.SIGCONT)
    until(lambda: handled(service) > 0, poll_s=0.0005)
    service.kill(*workers)
    before = handled(service)
    service.redis().rename(aside, inbox)
    took_s = until(lambda: is_done(service, list(bodies)))

    assert 0 < before < len(bodies)
    assert applied(service.bench()) == dict.fromkeys(bodies, 1)
    told_once(service.bench())
    assert handled(service) == len(bodies)
    assert took_s < RECOVERED_WITHIN_S or took_s < STARTS * start_s()


def test_after_a_power_cut_everything_that_was_accepted_is_there_and_takes_effect_once(make_service):
    service = make_service().start()
    bodies = messages_of(400)
    sender = Sender(service, give_up=True)
    half, cut = threading.Event(), threading.Event()

    def answered(good):
        if good >= 170:
            half.set()
        if good >= 350:  # the machine is so busy that the power cut is late: something is left to be sent
            cut.wait(LIMIT_S)

    sending = threading.Thread(target=sender.send, args=(bodies,), kwargs={"on_answer": answered})
    sending.start()
    assert half.wait(LIMIT_S)
    service.kill_everything()
    cut.set()
    sending.join()
    accepted = sender.accepted
    assert 170 <= len(accepted) < 400

    again = make_service().start()
    until(lambda: is_done(again, accepted))
    for event_id in accepted:
        assert again.bench().event(event_id)["body"] == bodies[event_id]
    rest = Sender(again)
    rest.send(bodies)  # Codat sends again what it got no answer for, and may send all again
    until(lambda: is_done(again, list(bodies)))

    assert set(rest.codes) <= {200, 202}
    assert all(rest.answers[event_id] == 200 for event_id in accepted)
    assert applied(again.bench()) == dict.fromkeys(bodies, 1)
    told_once(again.bench())


def test_sigterm_ends_everything_in_time_and_what_was_accepted_is_handled_after_the_next_start(make_service):
    service = make_service().start()
    bodies = messages_of(300)
    sender = Sender(service, give_up=True)
    begun = threading.Event()

    def answered(good):
        if good >= 80:
            begun.set()

    sending = threading.Thread(target=sender.send, args=(bodies,), kwargs={"on_answer": answered})
    sending.start()
    assert begun.wait(LIMIT_S)

    took_s, code, left = service.terminate()
    sending.join()

    assert code == 0
    assert left == [] or KILLED in service.log
    assert took_s < STOPPED_WITHIN_S
    until(lambda: not any(map(is_alive, left)))
    assert set(sender.codes) <= {202, 503, 0}
    again = make_service().start()
    until(lambda: is_done(again, sender.accepted))
    counts = applied(again.bench())
    assert {event_id: counts[event_id] for event_id in sender.accepted} == dict.fromkeys(sender.accepted, 1)
