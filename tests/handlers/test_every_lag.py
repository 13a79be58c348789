"""Every short history under an API that lags: each look shows the state of now or of a minute ago."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from handlers.connection import link_status
from handlers.events import Aspect
from handlers.registry import Policy
from handlers.state import situation
from tests.handlers.support.codat_history import BASE, Change, Did, truth_of
from tests.handlers.support.codat_messages import current_message
from tests.handlers.support.codat_world import Api, World
from tests.handlers.support.denials import denied_by_codat
from tests.handlers.support.tape import Tape

HISTORIES = [
    (Did.LINKED, Did.DELETED),
    (Did.LINKED, Did.UNLINKED),
    (Did.LINKED, Did.UNLINKED, Did.RELINKED),
    (Did.LINKED, Did.DEAUTHORIZED, Did.DELETED),
]
GAPS_S = (5.0, 40.0, 90.0)
ARRIVES_AFTER = timedelta(seconds=0.4)
LAG = timedelta(seconds=59.9)
LOOK_AFTER = timedelta(seconds=4)
LOOKS = 3
"""So many looks are old or new in every combination; the same then repeats."""


class Lagging(World):
    """A world in which it is given for each look whether what it shows is old."""

    def __init__(self, changes: Sequence[Change], old: Sequence[bool]) -> None:
        super().__init__(
            changes, Policy(can_ask=True), Api.ANSWERS, Tape(b""), lags_s=(0.0, LAG.total_seconds())
        )
        self._old = itertools.cycle(old)

    def _lag(self) -> timedelta:
        return LAG if next(self._old) else timedelta()

    def post_look(self, at: datetime) -> None:
        """Let somebody look at Codat at ``at``."""
        self.post(at, self._answer(Aspect.CONNECTION, at))


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: " ".join(history))
def test_no_look_however_old_tells_what_codat_denies_or_counts_what_never_was(
    history: tuple[Did, ...],
) -> None:
    """A look a few seconds after a message showed the state before it: the change was undone, an
    authorisation was counted that never was, and users were told of both."""
    steps = len(history) - 1
    for gaps in itertools.product(GAPS_S, repeat=steps):
        times = [BASE + timedelta(seconds=sum(gaps[:position])) for position in range(len(history))]
        changes = [Change(did, at) for did, at in zip(history, times, strict=True)]
        for told in itertools.product((True, False), repeat=len(history)):
            for old in itertools.product((False, True), repeat=LOOKS):
                world = Lagging(changes, old)
                try:
                    _prove(world, told)
                except AssertionError as wrong:
                    wrong.add_note(f"messages {told}, old looks {old}\n{world.story()}")
                    raise


def _prove(world: Lagging, told: Sequence[bool]) -> None:
    for position, (change, arrives) in enumerate(zip(world.changes, told, strict=True)):
        world.post_look(change.at + LOOK_AFTER)
        if arrives:
            arrival = change.at + ARRIVES_AFTER
            world.post(arrival, current_message(change, f"current-{position}", arrival))
    world.run()
    truth = truth_of(world.changes)
    before_the_sweep = situation(world.connection)
    if all(told):
        assert (before_the_sweep.state, before_the_sweep.authorization) == (truth.state, truth.authorization)
    shown = world.sweep()
    assert link_status(world.connection.history) is shown
    assert situation(world.connection).authorization <= truth.authorization
    assert denied_by_codat(world) == []
    ids = [note.id for _, note in world.told]
    assert len(set(ids)) == len(ids), "one notification was decided twice"
