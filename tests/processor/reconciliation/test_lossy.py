"""Messages are lost, at random and in bursts; after one reconcile every state is Codat's, told once."""

import random
from collections import Counter

import pytest

from tests.support.effort import IN_CI, part
from tests.support.truth import LIMIT_S, truth_bench

LAST_TOLD = {
    "authorized": {"connection.authorized", "connection.reauthorized"},
    "syncing": {"connection.authorized", "connection.reauthorized"},
    "ready": {"initial_sync.completed"},
    "sync_failed": {"initial_sync.failed"},
    "deauthorized": {"connection.deauthorized"},
    "unlinked": {"connection.unlinked"},
    "authorization_failed": {"connection.authorization_failed"},
}


def life(dice):
    """What happens to a connection; a return whose end may be lost as well ends in a good first sync."""
    steps = dice.choice(
        [
            [],
            ["fail"],
            ["fail", "authorize"],
            ["authorize"],
            ["authorize", "start-sync"],
            ["authorize", "complete-sync"],
            ["authorize", "fail-sync"],
            ["authorize", "complete-sync", "deauthorize"],
            ["authorize", "start-sync", "unlink"],
            ["authorize", "complete-sync", "deauthorize", "reauthorize", "complete-sync"],
            ["authorize", "complete-sync", "unlink", "reauthorize", "complete-sync", "deauthorize"],
            ["authorize", "complete-sync", "delete"],
            ["delete"],
        ]
    )
    return list(steps)


def happen(truth, connection, step):
    if step == "fail-sync":
        truth.change(connection, "complete-sync", outcomes={"invoices": "FetchError", "bills": "MapError"})
    else:
        truth.change(connection, step)


def live(truth, seed, *, bursts, connections):
    dice = random.Random(seed)
    lives = []
    for _ in range(connections):
        company = truth.company(f"Shop {len(lives)}")
        lives.append((truth.connect(company), life(dice)))
    silent = False
    while any(steps for _, steps in lives):
        if bursts and dice.random() < 0.15:
            silent = not silent
            truth.simulation.delivery.disturb({"drop": 1.0 if silent else 0.0})
        connection, steps = dice.choice([entry for entry in lives if entry[1]])
        happen(truth, connection, steps.pop(0))
        truth.clock.forward(dice.choice([4, 20, 90]))
        if dice.random() < 0.3:
            assert truth.simulation.wait_until_idle(LIMIT_S)
            truth.settle()
    assert truth.simulation.wait_until_idle(LIMIT_S)
    truth.settle(for_s=120)
    return [connection for connection, _ in lives]


@pytest.mark.parametrize("generations", ["current", "legacy", "current,legacy"])
@pytest.mark.parametrize("bursts", [False, True], ids=["at random", "in bursts"])
@pytest.mark.parametrize("seed", part([1, 2], 2))
def test_after_one_reconcile_every_state_is_codats_and_the_last_milestone_is_told_once(
    redis_url, seed, bursts, generations
):
    with truth_bench(redis_url, heard=True, generations=generations) as truth:
        truth.polling.scan.run()
        truth.simulation.delivery.disturb({"drop": 0.0 if bursts else 0.5, "seed": seed})
        connections = live(truth, seed, bursts=bursts, connections=24 if IN_CI else 8)

        truth.reconcile()

        ours = truth.ours()
        unheard = {id_ for id_, state in ours.items() if state is None}
        assert {id_: truth.truth()[id_] for id_ in unheard} == dict.fromkeys(unheard, "deleted")
        assert {id_: state for id_, state in truth.truth().items() if id_ not in unheard} == {
            id_: state for id_, state in ours.items() if id_ not in unheard
        }
        for connection in connections:
            told = truth.bench.told(connection)
            milestones = Counter((body["type"], body["data"]["authorization"]) for body in told)
            assert set(milestones.values()) <= {1}, told
            state = truth.bench.state(connection)
            if state in LAST_TOLD:
                assert told[-1]["type"] in LAST_TOLD[state], (state, told)
            if state == "deleted":
                assert [body["type"] for body in told[-1:]] in ([], ["connection.deleted"])
        before = [body["id"] for body in truth.bench.told()]
        assert truth.count("missed_messages") > 0

        # That Codat queued nothing to read is noted two minutes after the authorisation: no difference.
        again = [row for outcome in truth.reconcile() for row in outcome.diff.differences]
        assert not [row for row in again if row.before != row.after]
        assert [body["id"] for body in truth.bench.told()] == before
