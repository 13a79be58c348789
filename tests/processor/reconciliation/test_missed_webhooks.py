"""Silence is noticed: repairs without messages, and consumers that are switched off or gone."""

import httpx
import pytest

from processor.reconciliation.webhook_registration import HANDLED
from processor.store import codat_status
from tests.support import messages
from tests.support.truth import LIMIT_S, truth_bench

URL = "https://us.example/webhooks/codat"


@pytest.fixture
def public(redis_url):
    with truth_bench(redis_url, PUBLIC_URL="https://us.example") as truth:
        truth.polling.scan.run()
        yield truth


def warnings(truth):
    status = codat_status.read(truth.bench.client, truth.clock())
    return {warning["kind"]: warning["sentence"] for warning in status["warnings"]}


def missed(truth, company=None):
    """A connection whose authorisation nobody told us, and which a reconcile found."""
    company = company or truth.company()
    connection = truth.connect(company, "shpf")
    truth.change(connection, "authorize")
    at = truth.clock()
    truth.clock.forward(5)
    truth.reconcile()
    return company, connection, at


def test_one_missed_message_is_silence_where_none_came_since(public):
    public.bench.handle(messages.other(company_id="company-1"))
    public.clock.forward(60)
    missed(public)
    public.silence.check_messages(public.clock())
    assert warnings(public) == {}  # it may be on its way

    public.clock.forward(660)
    public.silence.check_messages(public.clock())

    sentence = warnings(public)["missing-messages"]
    assert "1 change had to be found" in sentence
    assert "codat-processor webhooks list" in sentence


def test_a_message_that_was_only_late_is_not_missed(public):
    company, connection, at = missed(public)
    public.clock.forward(120)
    public.bench.handle(messages.connected(company, connection, at=at))
    public.clock.forward(660)

    public.silence.check_messages(public.clock())

    assert warnings(public) == {}
    assert codat_status.read(public.bench.client, public.clock())["missing_now"] == 0


def test_single_losses_among_many_messages_are_no_silence_and_several_are(public):
    for number in range(4):
        missed(public)
        public.clock.forward(660)
        public.bench.handle(messages.other(company_id="company-1"))
        public.silence.check_messages(public.clock())
        assert bool(warnings(public)) == (number >= 2)


def test_the_warning_goes_when_a_day_went_by_without_repairs(public):
    missed(public)
    public.clock.forward(660)
    public.silence.check_messages(public.clock())
    assert warnings(public)

    public.clock.forward(24 * 3600)
    public.silence.check_messages(public.clock())

    assert warnings(public) == {}


def test_a_quiet_day_is_no_silence(public):
    public.run(for_s=24 * 3600, step_s=3600)

    assert "missing-messages" not in warnings(public)


def consumer(truth, **wanted):
    with httpx.Client(base_url=truth.server.url, trust_env=False, timeout=LIMIT_S) as codat:
        authorization = {"Authorization": truth.server.config.api_authorization}
        answer = codat.post("/webhooks", headers=authorization, json={"url": URL, **wanted})
        return answer.json()["id"]


def compare(truth):
    truth.silence.check_consumers(truth.codat.list_webhooks(), truth.clock())
    return warnings(truth).get("consumer")


def test_a_consumer_that_is_complete_is_right(public):
    consumer(public, eventTypes=list(HANDLED))
    assert compare(public) is None


def test_a_consumer_that_is_gone_switched_off_or_incomplete_is_told(public):
    assert "no webhook consumer for our address" in compare(public)
    first = consumer(public, eventTypes=list(HANDLED), disabled=True)
    assert "switched our webhook consumer off" in compare(public)
    second = consumer(public, eventTypes=[item for item in HANDLED if item != "company.deleted"])
    assert "does not get company.deleted" in compare(public)
    consumer(public)  # of all types
    assert compare(public) is None
    for item in (first, second):
        public.codat.delete_webhook(item)
    assert compare(public) is None


def test_without_our_address_a_consumer_is_missed_once_it_was_seen(truth):
    assert compare(truth) is None
    made = consumer(truth)
    assert compare(truth) is None
    truth.codat.delete_webhook(made)
    assert "no webhook consumer" in compare(truth)


def test_a_consumer_that_codat_switched_off_is_noticed_by_the_sweep(redis_url):
    with truth_bench(redis_url, heard=True) as truth:
        truth.sweep.run()
        assert warnings(truth) == {}
        with truth.simulation.lock:
            truth.simulation.consumers.switch_configured(on=False)
        connection = truth.connect(truth.company())
        assert truth.simulation.wait_until_idle(60)
        truth.settle(for_s=5)
        assert truth.bench.state(connection) is None  # nothing came

        truth.clock.forward(1801)
        truth.sweep.run()

        assert "switched our webhook consumer off" in warnings(truth)["consumer"]


def test_readiness_and_figures_show_it(redis_url):
    from tests.support.serving import serving

    with truth_bench(redis_url, PUBLIC_URL="https://us.example") as truth:
        if truth.clock().hour == 23:  # the quota is forgotten at midnight, by Redis's own clock
            truth.clock.forward(3_600)
        truth.polling.scan.run()
        missed(truth)
        truth.clock.forward(660)
        truth.silence.check_messages(truth.clock())

        caller = serving(redis_url, API_KEYS="key")
        ready = caller.get("/readyz")
        figures = caller.get("/v1/stats", headers={"Authorization": "Bearer key"}).get_json()

    assert ready.status_code == 200
    assert any("Codat's messages stay away" in warning for warning in ready.get_json()["warnings"])
    assert figures["codat"]["missed_messages"] == 1
    assert figures["codat"]["warnings"][0]["kind"] == "missing-messages"
    assert figures["codat"]["quota"]["limit"] >= 1_000
