"""Companies that were deleted at Codat or here are erased by the worker."""

from handlers.events import Company, CompanyDeleted, Source
from processor.codat import observation_types, observations
from processor.delivery.channels.email import EMAIL
from processor.delivery.lane_admin import LaneAdmin
from processor.erasure.residue_scan import scan
from processor.store import keys
from tests.support import messages
from tests.support.serving import serving


def delete(truth, company):
    truth.world.delete_company(company)
    truth.bench.handle(messages.company("company.deleted", company, at=truth.clock()))


def connected(truth):
    company = truth.company("Bakery")
    connection = truth.connect(company)
    truth.change(connection, "authorize")
    truth.bench.handle(messages.connected(company, connection, at=truth.clock()))
    truth.settle(for_s=5)
    return company, connection


def delivered(truth):
    """The notices go out: there is no subscriber, so nothing waits in a lane."""
    truth.bench.publish()


def test_a_company_deleted_at_codat_is_told_and_erased_after_the_grace_time(truth):
    company, connection = connected(truth)
    delete(truth, company)
    assert truth.bench.told_types(connection)[-1] == "connection.deleted"
    delivered(truth)

    truth.clock.forward(29 * 86_400)
    truth.sweep.run()
    assert truth.bench.state(connection) == "deleted"
    truth.clock.forward(2 * 86_400)
    truth.sweep.run()

    assert truth.bench.state(connection) is None
    assert scan(truth.bench.client, (company, connection, "m-Bakery")).residue == ()


def test_it_is_not_erased_before_its_notices_are_delivered_or_dead(truth):
    company, connection = connected(truth)
    delete(truth, company)
    truth.clock.forward(40 * 86_400)
    truth.sweep.run()
    assert truth.bench.state(connection) == "deleted"  # not divided among the lanes yet

    delivered(truth)
    notice = truth.bench.told(connection)[-1]["id"]
    control = LaneAdmin(truth.bench.client, clock=truth.clock)
    control.requeue(notice, EMAIL.name, cell=keys.cell_of(company))
    truth.clock.forward(120)
    truth.sweep.run()
    assert truth.bench.state(connection) == "deleted"  # waits in a lane

    control.abandon(EMAIL.name, removed=False)  # dead
    truth.clock.forward(120)
    truth.sweep.run()
    assert truth.bench.state(connection) is None


def test_a_company_that_its_owner_deletes_here_is_erased_without_grace(truth):
    company, connection = connected(truth)
    truth.world.delete_company(company)
    event = CompanyDeleted(
        event_id=messages.fresh(),
        event_type=observation_types.COMPANY_DELETED,
        source=Source.JOURNEY,
        received_at=truth.clock(),
        at=truth.clock(),
        company=Company(company),
    )
    truth.bench.inbox.accept(event, observations.encode(event))
    truth.settle()
    assert truth.bench.told_types(connection)[-1] == "connection.deleted"
    delivered(truth)

    truth.clock.forward(61)
    truth.sweep.run()

    assert truth.bench.state(connection) is None
    assert scan(truth.bench.client, (company, connection, "m-Bakery")).residue == ()


def test_the_sweep_does_not_resurrect_what_was_erased(truth):
    company, _ = connected(truth)
    truth.reconcile()
    truth.erasure.erase(company, truth.clock())

    truth.run(for_s=26 * 3600, step_s=1800)

    assert scan(truth.bench.client, (company, "m-Bakery")).residue == ()


def test_a_company_deleted_by_the_api_is_deleted_at_codat_then_here_and_nothing_is_left(redis_url, truth):
    company, connection = connected(truth)
    caller = serving(
        redis_url,
        API_KEYS="key",
        CODAT_API_KEY=truth.server.config.api_key,
        CODAT_API_URL=truth.server.url,
    )

    answer = caller.delete(f"/v1/companies/{company}", headers={"Authorization": "Bearer key"})

    assert answer.status_code < 300, answer.data
    truth.settle()
    assert truth.bench.told_types(connection)[-1] == "connection.deleted"
    assert truth.simulation.truth()["companies"][company]["deleted"]
    delivered(truth)
    again = caller.delete(f"/v1/companies/{company}", headers={"Authorization": "Bearer key"})
    assert again.status_code == 204
    truth.clock.forward(120)
    truth.sweep.run()
    assert scan(truth.bench.client, (company, connection, "m-Bakery")).residue == ()
    erased = caller.delete(f"/v1/companies/{company}", headers={"Authorization": "Bearer key"})
    assert erased.status_code == 404
