"""That Codat is dead is noticed, and so is its end, though nobody else asks it anything."""

from processor.conditions import evaluation
from processor.store import codat_calls


def codes(truth):
    result = evaluation.current(truth.bench.client, truth.settings, now=truth.clock())
    return {item.code for item in result} & {"codat_unreachable", "codat_key_refused"}


def test_an_outage_of_codat_is_noticed_and_ends_by_itself_with_few_requests(truth):
    """Codat was back for half an hour, and it was still called dead: nothing had asked it since."""
    truth.run(for_s=1_200, step_s=30)
    assert codes(truth) == set()

    truth.fault(status=503, count=1_000)
    truth.run(for_s=900, step_s=30)
    assert codes(truth) == {"codat_unreachable"}

    truth.simulation.faults.clear()
    before = sum(codat_calls.read(truth.bench.client).counts.values())
    truth.run(for_s=120, step_s=30)
    assert codes(truth) == set()
    assert sum(codat_calls.read(truth.bench.client).counts.values()) - before <= 5
