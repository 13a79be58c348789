"""Folds, situations and untold milestones that are found again are those that a fresh calculation gives."""

import random
from copy import deepcopy

import pytest

from handlers.connection import Connection
from handlers.events import Event
from handlers.machine import Transition, advance
from handlers.registry import Context, Policy
from tests.handlers.support import codat_world
from tests.handlers.support.codat_world import LAGS_S, Api, World
from tests.handlers.support.sampled_history import sampled_history
from tests.handlers.support.tape import Tape
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
