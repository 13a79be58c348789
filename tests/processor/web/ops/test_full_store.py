"""A Redis that is full: an operator signs in, has handled messages forgotten, and leaves a trace."""

from datetime import timedelta
from typing import Any

from redis import Redis

from processor.store import keys, retention
from processor.web.ops import condition_actions
from tests.processor.web.ops.test_people import named as named
from tests.processor.web.ops.test_people import signed_in
from tests.processor.web.v1.filling import Filling
from tests.support import messages
from tests.support.workbench import Workbench


def test_an_operator_signs_in_and_makes_room_while_redis_is_full(named: Filling, store: "Redis[Any]") -> None:
    named.now -= timedelta(days=20)
    named.make_ready()
    named.let_die()
    named.accept(b"no JSON", "odd")
    named.now += timedelta(days=20)
    kept = {"broken", "odd"}
    store.config_set("maxmemory", 1)
    try:
        operator = signed_in(named, "operators-name")
        page = operator.open("/ops").text
        assert "Redis is full" in page
        assert "Those that are older than" in page
        fields = {"code": "redis_full", "subject": "", "action": "forget_handled"}
        assert operator.send("/ops/conditions", seal=None, **fields).status_code in (404, 405, 422)
        seal = page.partition('name="seal" value="')[2][:64]
        assert operator.send("/ops/conditions", seal=seal, **fields, days="2").status_code == 422
        done = operator.follow(operator.send("/ops/conditions", seal=seal, **fields, days="14"))
        assert "handled messages were forgotten" in done
    finally:
        store.config_set("maxmemory", 0)
    left = {id_.decode() for cell in keys.cells() for id_ in store.zrange(keys.events(cell), 0, -1)}
    assert left == kept
    assert named.container.reader.connection("xero") is not None
    trail = named.container.audit
    actions = [(entry["actor"], entry["action"]) for entry in trail.entries(limit=9).items]
    assert actions[0] == ("operators-name", "ops condition_action forget_handled")
    assert ("operators-name", "ops sign_in password") in actions
    assert trail.verify().faults == ()


def test_messages_are_forgotten_in_steps(store: "Redis[Any]") -> None:
    bench, client = Workbench(store), store
    bench.fill([messages.read(f"c{number}", f"n{number}") for number in range(25)])
    bench.drain_all()
    (waiting,) = bench.fill([messages.read("c1", "n1")])
    later = bench.clock() + timedelta(days=2)
    assert retention.forget_handled(client, bench.clock() - timedelta(days=2), most=10) == 0
    assert [retention.forget_handled(client, later, most=10) for _ in range(4)] == [10, 10, 5, 0]
    assert bench.status(waiting) == "pending"
    bench.drain_all()
    assert bench.status(waiting) == "processed"


def test_the_button_takes_as_many_as_a_request_has_time_for() -> None:
    assert condition_actions.MOST_FORGOTTEN <= 20 * retention.MAX_TRIMMED
