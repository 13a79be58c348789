"""The overview's figures, curves, buttons and mutes, and what it shows while Redis is away."""

from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis

from processor.conditions.registry import BY_CODE
from processor.runtime.embedded_engine import Engine
from processor.store import heartbeats, keys, unreadable
from processor.store.metrics import Metrics
from processor.web.ops import condition_actions, permissions, sparkline
from processor.web.ops.auth import KNOWN_ACTIONS
from tests.processor.web.ops.operating import (
    PASSWORD,
    Operator,
    add_subscriber,
    everybody_lives,
    text_of,
    told_of,
)
from tests.processor.web.v1.filling import Filling
from tests.support import cells
from tests.support.serving import patient


def hand_over(store: Redis, metrics: Metrics, filling: Filling, **ago: float) -> None:
    with store.pipeline(transaction=False) as pipe, metrics.staged(pipe, filling.now - timedelta(**ago)):
        pipe.execute()


def test_one_line_says_what_happened_in_the_last_hour_and_what_is_normal(
    operator: Operator, filling: Filling, store: Redis
) -> None:
    for days, count in ((0, 1204), (1, 90), (2, 110), (3, 100), (4, 1)):
        metrics = Metrics()
        metrics.received(["accepted"] * count)
        hand_over(store, metrics, filling, days=days)
    shown = operator.read("/ops")
    assert "In the last hour: 1,204 accepted" in shown
    assert "0 handled (normal at this time: 0), 0 told" in shown
    assert "What is normal is known after a day" not in shown


@pytest.mark.parametrize(("window", "lines"), [("hour", 60), ("day", 96), ("month", 120)])
def test_each_window_has_six_curves_with_a_text_and_a_table(
    operator: Operator, filling: Filling, store: Redis, window: str, lines: int
) -> None:
    metrics = Metrics()
    metrics.handled([1.5, 0.5], failed=0, told=1)
    hand_over(store, metrics, filling)
    answer = operator.open("/ops", window=window)
    assert answer.text.count('role="img"') == answer.text.count("<desc") == 6
    assert answer.text.count('<tr><th scope="row"><time') == lines
    assert "Lag, receipt to commit 1.0 s" in text_of(answer)
    assert operator.open("/ops", window="year").status_code == 422


def test_a_curve_has_gaps_where_there_is_no_value() -> None:
    assert sparkline.path([None, 1, 2, None, 4], 4).count("M") == 2
    assert sparkline.path([], 0) == ""
    assert sparkline.path([0, 0], 0).endswith(f"{sparkline.HEIGHT - 3:.1f}")
    assert [sparkline.shown(value, unit) for value, unit in ((None, ""), (1204, ""), (1400, "ms"))] == [
        "\u2013",
        "1,204",
        "1.4 s",
    ]


def test_the_live_part_is_the_same_without_the_page_around_it(operator: Operator, store: Redis) -> None:
    everybody_lives(store)
    answer = operator.open("/ops/live", window="day")
    assert answer.status_code == 200
    assert answer.text.lstrip().startswith("<section")
    assert "All is well" in answer.text
    assert "<html" not in answer.text


def test_what_was_known_stays_while_redis_is_away(data_dir: Path) -> None:
    with Engine(data_dir) as engine:
        filling = Filling(patient(engine.url), OPERATOR_PASSWORD=PASSWORD)
        operator = Operator(filling)
        filling.make_ready()
        assert "ready 1" in operator.read("/ops")
    for path in ("/ops", "/ops/live"):
        answer = operator.open(path)
        assert answer.status_code == 200
        assert "Redis does not answer. The figures below are the last that were read" in answer.text
        assert "Messages cannot be kept" in answer.text
        assert '>ready</a></th><td class="figure">1<' in answer.text
    filling.close()


def act(operator: Operator, action: str, code: str, subject: str = "", **fields: str) -> str:
    answer = operator.send(
        "/ops/conditions", seal=operator.seal(), action=action, code=code, subject=subject, **fields
    )
    return operator.follow(answer)


def test_every_action_exists_and_belongs_to_a_condition() -> None:
    assert condition_actions.ACTIONS.keys() <= BY_CODE.keys()
    assert condition_actions.ACTS.keys() <= KNOWN_ACTIONS
    assert permissions.needed_role("POST", "condition_action", "mute").label == "operator"


def test_dead_messages_and_those_tried_again_are_replayed_by_their_button(
    operator: Operator, filling: Filling, store: Redis
) -> None:
    everybody_lives(store)
    for number in range(3):
        filling.let_die(f"broken-{number}")
    assert "Replay them all" in operator.read("/ops")
    assert "3 wait in the inbox again." in act(operator, "replay_dead", "messages_dead")
    assert "could not be handled" not in operator.read("/ops")


def test_a_receiver_that_was_disabled_is_enabled_and_gets_what_it_missed(
    operator: Operator, filling: Filling, store: Redis
) -> None:
    everybody_lives(store)
    lane = add_subscriber(filling)
    operator.send(f"/ops/subscribers/{lane}", action="disable")
    filling.make_ready()
    filling.now += timedelta(minutes=1)
    missed = told_of(filling)
    shown = act(operator, "enable_and_send", "receiver_disabled", lane)
    assert "are being sent again, under the same ids." in shown
    assert missed in {id_.decode() for id_ in cells.members(store, keys.lane, lane)}
    assert "Nothing is sent to" not in operator.read("/ops")


def test_a_failing_receiver_is_tried_at_once(operator: Operator, filling: Filling, store: Redis) -> None:
    everybody_lives(store)
    lane = add_subscriber(filling)
    store.hset(keys.lane_state(lane), mapping={"mode": "slow", "failures": 12})
    assert "Try again now" in operator.read("/ops")
    assert "It is tried again now" in act(operator, "try_lane", "receiver_failing", lane)
    assert store.hget(keys.lane_state(lane), "mode") == b"active"
    answer = operator.send(
        "/ops/conditions",
        seal=operator.seal(),
        action="try_lane",
        code="receiver_failing",
        subject="sub_none",
    )
    assert answer.status_code == 404


def test_a_damaged_connection_is_made_again_by_its_button(
    operator: Operator, filling: Filling, store: Redis
) -> None:
    everybody_lives(store)
    filling.make_ready()
    connection_id = filling.container.reader.list_connections(limit=1, cursor=None).items[0].connection.id
    cell = next(cell for cell in keys.cells() if store.exists(keys.connection(cell, connection_id)))
    store.set(keys.connection(cell, connection_id), b"\xc1")
    assert filling.container.reader.connection(connection_id) is None
    assert unreadable.noted(store)
    assert "Make the connections again" in operator.read("/ops")
    assert "made again where they were damaged" in act(operator, "repair", "record_unreadable")
    assert filling.container.reader.connection(connection_id) is not None
    assert unreadable.noted(store) == []


def test_a_muted_condition_says_so_until_the_mute_ends(
    operator: Operator, filling: Filling, store: Redis
) -> None:
    heartbeats.record(store, "clock", "clock-1")
    assert "Muted until" not in operator.read("/ops")
    act(operator, "mute", "no_worker", **{"for": "8 hours"})
    assert "Muted until" in operator.read("/ops")
    act(operator, "unmute", "no_worker")
    assert "Muted until" not in operator.read("/ops")
    act(operator, "mute", "no_worker", **{"for": "1 hour"})
    filling.now += timedelta(hours=1)
    assert "Muted until" not in operator.read("/ops")
    for fields in ({"for": "a year"}, {"code": "nonsense", "for": "1 day"}):
        answer = operator.send(
            "/ops/conditions", **{"seal": operator.seal(), "action": "mute", "code": "no_worker"} | fields
        )
        assert answer.status_code == 422
