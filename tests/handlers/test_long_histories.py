"""Longer histories, sampled: both generations, lost messages, and answers of Codat.

The seed of a run is printed in its header; ``HISTORIES_SEED=…`` repeats it, or samples others.
"""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from handlers.events import LinkStatus
from handlers.facts import ENDED_STATUSES
from handlers.milestones import NotificationType
from handlers.registry import Policy
from handlers.state import AWAITING_FIRST_SYNC, LINKED_STATES, State, situation
from tests.handlers.support.codat_history import BASE, Change, Did, Truth, truth_of
from tests.handlers.support.codat_world import LAGS_S, SKEWS_S, Api, World
from tests.handlers.support.deliveries import ACCESS_GIVEN, ENDED
from tests.handlers.support.denials import denied_by_codat
from tests.handlers.support.sampled_history import LONG_GAPS_S, WIDE_GAPS_S, sampled_history
from tests.handlers.support.tape import Tape
from tests.support.effort import examples

pytestmark = pytest.mark.timeout(900)

SEED = int(os.environ["HISTORIES_SEED"])
TAPE_BYTES = 192
TOLERANCE = timedelta(seconds=2)
POLICIES = {
    Api.NO_KEY: Policy(can_ask=False),
    Api.ANSWERS: Policy(can_ask=True),
    Api.SILENT: Policy(can_ask=True),
    Api.LATE: Policy(can_ask=True),
    Api.MOODY: Policy(can_ask=True),
}
NEVER_CHECKS = Policy(can_ask=True, patience_s=0)


def sample(
    build: Callable[[Tape], World], prove: Callable[[World], None], *, histories: int, part: int
) -> None:
    """Let Hypothesis try ``histories`` of them, fewer at a desk; a failure shows the seed and the story."""
    count = examples(histories)
    attempts = 0

    def attempt(raw: bytes) -> None:
        nonlocal attempts
        attempts += 1
        world = build(Tape(raw))
        try:
            prove(world)
        except Exception as wrong:
            wrong.add_note(f"HISTORIES_SEED={SEED}\n{world.story()}")
            raise

    run = given(st.binary(min_size=TAPE_BYTES, max_size=TAPE_BYTES))(attempt)
    run = settings(
        max_examples=count,
        deadline=None,
        derandomize=False,
        database=None,
        print_blob=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )(run)
    print(f"HISTORIES_SEED={SEED}, {count} histories")
    seed(SEED + part)(run)()
    assert attempts >= count


def world_with(
    tape: Tape, changes: list[Change], apis: tuple[Api, ...] = tuple(Api), *, unlike: bool = True
) -> World:
    """A world with one of the ways in which Codat's API behaves.

    ``unlike``: an API that answers may lag, and its clock be another than ours.
    """
    api = tape.choice(apis)
    policy = POLICIES[api]
    if api is Api.ANSWERS and len(apis) > 1 and tape.once_in(4):
        policy = NEVER_CHECKS
    if not unlike or api is not Api.ANSWERS or not policy.checks:
        return World(changes, policy, api, tape)
    lags_s = LAGS_S if tape.once_in(2) else (0.0,)
    skew = timedelta(seconds=tape.choice(SKEWS_S))
    return World(changes, policy, api, tape, lags_s=lags_s, skew=skew)


def check_steps(world: World, truth: Truth) -> None:
    """What holds of every delivery, also where messages were lost."""
    for step in world.steps:
        entry = step.transition.entry
        assert entry.reason
        assert (entry.before, entry.after) == (
            step.transition.before.state.value,
            step.transition.after.state.value,
        )
    assert world.connection.claims == (), "a claim waits for ever"
    assert world.connection.checks == (), "news waits for ever"
    notes = [note for _, note in world.told]
    assert len({note.id for note in notes}) == len(notes), "one notification was decided twice"
    for note in notes:
        begun_at = note.data["authorized_at"]
        if note.data["state"] in LINKED_STATES and begun_at:
            assert note.data["occurred_at"] >= begun_at, "it occurred before the authorisation it belongs to"
    access = [note.type for note in notes if note.type in (*ACCESS_GIVEN, *ENDED)]
    repeated = [kind for kind, after in pairwise(access) if kind is after in ENDED]
    assert not repeated, "an end was told although the last thing told already said so"
    if is_blurred(world):
        return
    milestones = [
        (NotificationType.AUTHORIZED if kind in ACCESS_GIVEN else kind, truth.authorization_at(at))
        for (kind, at), entry in zip(_told(world), world.connection.ledger, strict=True)
        if kind is not NotificationType.AUTHORIZATION_FAILED
        and not (entry.is_observed and _is_ambiguous(world, truth, at))
    ]
    assert len(set(milestones)) == len(milestones), (
        f"one kind was told twice of one authorisation: {milestones}"
    )


def is_blurred(world: World) -> bool:
    """Whether by STATE.md's own rules something may have been told that the messages cannot undo.

    A look that contradicts a change of the minute before says nothing until it is confirmed, which needs
    an answer, and news that waits for it. A look, or an alert taken at its word, cannot tell changes apart
    that lie very close together. And an alert without a time that comes after the next change, and that
    nobody explains in time, stands for another change than it means: "a claim whose *old* status is what the
    fold says counts".
    """
    claimed = any(fact.claimed for fact in world.connection.facts)
    if world.has_close_changes and (world.asks or claimed):
        return True
    is_confirmed = world.api is Api.ANSWERS and world.policy.checks
    if not is_confirmed and world.asks and world.has_changes_within_a_minute:
        return True
    return world.alerts_overtake and claimed


def _is_ambiguous(world: World, truth: Truth, seen_at: datetime) -> bool:
    """Whether what was seen may be from before another authorisation began: Codat's API lags."""
    lag = timedelta(seconds=max(world.lags_s))
    return truth.authorization_at(seen_at - lag) != truth.authorization_at(seen_at)


def _told(world: World) -> list[tuple[NotificationType, datetime]]:
    """Kind and time of what was told; a beginning that was only seen may have been shown a second early."""
    early = TOLERANCE if world.asks else timedelta()
    return [
        (
            NotificationType(entry.kind),
            entry.at + early if entry.is_observed and entry.kind in ACCESS_GIVEN else entry.at,
        )
        for entry in world.connection.ledger
    ]


def check_end(world: World, truth: Truth) -> None:
    """With all messages delivered: everything equals the history in order, and it was told."""
    connection = world.connection
    now = situation(connection)
    expected = truth.state
    known = {name: (kind.status, kind.at) for name, kind in connection.data_types.items()}
    running = {  # Codat's history said so meanwhile: no message ever tells that
        name
        for name, (status, at) in known.items()
        if status not in ENDED_STATUSES and at >= truth.data_types.get(name, (None, at))[1]
    }
    data_types = {name: outcome for name, outcome in known.items() if name not in running}
    wanted = {name: outcome for name, outcome in truth.data_types.items() if name not in running}
    untimed = {name for name, kind in connection.data_types.items() if not kind.timed}
    if world.skew:
        # A legacy alert of a read has the time of our clock: it may outlast what Codat's clock says is newer.
        data_types = {name: (status, BASE) for name, (status, _) in data_types.items() if name not in untimed}
        wanted = {name: (status, BASE) for name, (status, _) in wanted.items() if name not in untimed}
    touching = [at for name, (_, at) in known.items() if name in running or (world.skew and name in untimed)]
    authorized_at = now.authorized_at or BASE
    if expected is State.AUTHORIZED and any(at >= authorized_at for at in touching):
        expected = State.SYNCING
    assert now.state == expected
    assert data_types == wanted
    if truth.link is not None or not (world.asks and world.has_close_changes):
        assert now.authorization == truth.authorization
        assert now.authorized_at == truth.authorized_at
    check_last_told(world, truth)


def check_last_told(world: World, truth: Truth) -> None:
    """What holds at the end was told."""
    told = _told(world)
    kinds = [kind for kind, _ in told]
    access = [kind for kind in kinds if kind in (*ACCESS_GIVEN, *ENDED)]
    if truth.link is None:
        assert (NotificationType.DELETED in kinds) == bool(kinds)
    elif truth.link.has_ended:
        assert access[-1].value == f"connection.{truth.state.value}", "the end was not told"
    elif truth.authorized_at is not None and not is_blurred(world):
        of_the_last = [kind for kind, at in told if at >= truth.authorized_at]
        assert any(kind in ACCESS_GIVEN for kind in of_the_last), "the last authorisation was not told"
        assert truth.outcome is None or truth.outcome in of_the_last, "the outcome of its sync was not told"


@pytest.mark.parametrize("part", range(2))
def test_all_messages_of_the_current_generation_end_like_the_history_in_order(part: int) -> None:
    def build(tape: Tape) -> World:
        world = world_with(tape, sampled_history(tape))
        world.post_current()
        world.post_looks()
        return world

    def prove(world: World) -> None:
        world.run()
        truth = truth_of(world.changes)
        check_steps(world, truth)
        check_end(world, truth)

    sample(build, prove, histories=2300, part=part)


@pytest.mark.parametrize("part", range(2, 4))
def test_all_messages_of_both_generations_end_like_the_history_in_order(part: int) -> None:
    def build(tape: Tape) -> World:
        world = world_with(tape, sampled_history(tape))
        world.post_current()
        world.post_legacy()
        world.post_looks()
        return world

    def prove(world: World) -> None:
        world.run()
        truth = truth_of(world.changes)
        check_steps(world, truth)
        check_end(world, truth)

    sample(build, prove, histories=2300, part=part)


@pytest.mark.parametrize("part", range(4, 6))
def test_after_lost_messages_one_look_at_codat_sets_the_link_status_right(part: int) -> None:
    def build(tape: Tape) -> World:
        world = world_with(tape, sampled_history(tape))
        generations = tape.number(3)
        if generations != 1:
            world.post_current(loses=True)
        if generations:
            world.post_legacy(loses=True)
        world.post_looks()
        return world

    def prove(world: World) -> None:
        world.run()
        shown = world.sweep()
        check_steps(world, truth_of(world.changes))
        state = situation(world.connection).state
        if shown is None:
            assert state is State.DELETED
        elif shown is LinkStatus.LINKED:
            assert state in LINKED_STATES
        elif shown is LinkStatus.PENDING:
            assert state in (State.PENDING, State.AUTHORIZATION_FAILED)
        else:
            assert state.value == shown.value.lower()

    sample(build, prove, histories=2300, part=part)


@pytest.mark.parametrize("part", range(6, 8))
def test_with_an_answering_api_nothing_is_told_that_codat_would_deny(part: int) -> None:
    def build(tape: Tape) -> World:
        world = world_with(tape, sampled_history(tape), (Api.ANSWERS,))
        loses = tape.once_in(2)
        generations = tape.number(3)
        if generations != 1:
            world.post_current(loses=loses)
        if generations:
            world.post_legacy(loses=loses)
        world.post_looks()
        return world

    def prove(world: World) -> None:
        world.run()
        assert denied_by_codat(world) == []
        check_steps(world, truth_of(world.changes))

    sample(build, prove, histories=2300, part=part)


def test_legacy_alerts_that_come_promptly_and_in_order_are_enough() -> None:
    """Alerts carry no time: shuffled, or late beyond the next change, they could not be told apart."""

    def build(tape: Tape) -> World:
        # The legacy generation has no word for a failed attempt. What lasts no longer than Codat's API
        # may lag is not known from a look.
        api = tape.choice((Api.NO_KEY, Api.ANSWERS))
        gaps_s = WIDE_GAPS_S if api is Api.NO_KEY else LONG_GAPS_S
        sampled = sampled_history(tape, gaps_s=gaps_s)
        changes = [change for change in sampled if change.did is not Did.FAILED]
        changes = changes or [Change(Did.LINKED, BASE)]
        world = world_with(tape, changes, (api,), unlike=False)
        world.post_legacy_promptly()
        return world

    def prove(world: World) -> None:
        world.run()
        check_steps(world, truth_of(world.changes))
        now = situation(world.connection)
        truth = truth_of([_as_legacy_tells_it(change) for change in world.changes if _is_told(change, world)])
        # An alert of an ordinary read within five minutes after a timed outcome counts as its twin: then
        # nothing tells that reading has begun.
        early = AWAITING_FIRST_SYNC if world.asks else ()
        assert now.state == truth.state or (now.state in early and truth.state in early)
        assert now.authorization == truth.authorization
        if truth.authorized_at is not None:
            assert now.authorized_at is not None
            assert abs(now.authorized_at - truth.authorized_at) <= timedelta(minutes=2)
        check_last_told(world, truth)

    sample(build, prove, histories=2000, part=8)


def _is_told(change: Change, world: World) -> bool:
    """The alert that a connection was deleted is only a doubt: without an answer nothing follows."""
    return change.did is not Did.DELETED or world.api is Api.ANSWERS


def _as_legacy_tells_it(change: Change) -> Change:
    """A first sync of which nothing succeeded is not told as one: "only polling can tell"."""
    return Change(Did.READ_MORE, change.at, change.types) if change.did is Did.READ_NONE else change
