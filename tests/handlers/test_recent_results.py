"""Folds, situations and untold milestones that are found again are those that a fresh calculation gives."""

import random
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from handlers import connection, milestones, state
from handlers.connection import MOST_RECENT, Connection
from handlers.events import Event
from handlers.facts import FactKind
from handlers.machine import Transition, advance
from handlers.milestones import untold_milestones
from handlers.registry import Context, Policy
from handlers.state import situation
from tests.handlers.support import codat_world
from tests.handlers.support.codat_world import LAGS_S, Api, World
from tests.handlers.support.sampled_history import sampled_history
from tests.handlers.support.tape import Tape
from tests.handlers.test_facts import fact
from tests.support.effort import examples

TAPE_BYTES = 192


def _calculated_twice(connection: Connection, event: Event, context: Context) -> Transition:
    """The step; nothing that was calculated before is found again for a copy of the connection."""
    fresh = advance(deepcopy(connection), event, context)
    transition = advance(connection, event, context)
    assert transition == fresh
    assert transition.before.history == fresh.before.history
    assert transition.after.history == fresh.after.history
    return transition


@pytest.mark.parametrize("api", Api)
def test_a_step_follows_from_its_input_alone(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codat_world, "advance", _calculated_twice)
    source = random.Random(api.value)
    steps = 0
    for _ in range(examples(600)):
        tape = Tape(source.randbytes(TAPE_BYTES))
        lags_s = LAGS_S if api is Api.ANSWERS else (0.0,)
        policy = Policy(can_ask=api is not Api.NO_KEY)
        world = World(sampled_history(tape), policy, api, tape, lags_s=lags_s)
        world.post_current()
        world.post_legacy()
        world.post_looks()
        world.run()
        steps += len(world.steps)
    assert steps > 0


RECENT: dict[str, tuple[dict[int, Any], Callable[[Connection], object]]] = {
    "folds": (connection._recent_folds, lambda one: one.history),
    "situations": (state._recent, situation),
    "untold milestones": (milestones._recent, lambda one: untold_milestones(one, situation(one))),
}


@pytest.mark.parametrize(("recent", "calculate"), RECENT.values(), ids=RECENT)
def test_what_was_calculated_is_found_again_until_so_many_are_kept(
    recent: dict[int, Any], calculate: Callable[[Connection], object]
) -> None:
    for kept, _ in RECENT.values():
        kept.clear()
    connections = [Connection("c", facts=(fact(FactKind.LINKED, n),)) for n in range(MOST_RECENT + 2)]
    first, second = (calculate(connection) for connection in connections[:2])
    assert calculate(connections[0]) is first
    assert calculate(connections[1]) is second
    sizes = []
    for one in connections:
        calculate(one)
        sizes.append(len(recent))
    assert (max(sizes), sizes[-1]) == (MOST_RECENT, 2)


def test_what_facts_add_is_calculated_once_for_a_handler_and_the_machine() -> None:
    first, second = (Connection("c", facts=(fact(FactKind.LINKED, n),)) for n in range(2))
    for learning in (first, second):
        learnt = learning.with_facts([fact(FactKind.READ, 10)])
        assert learning.with_facts([fact(FactKind.READ, 10)]) is learnt
    assert list(connection._recent_additions.values()) == [(second, (fact(FactKind.READ, 10),), learnt)]
