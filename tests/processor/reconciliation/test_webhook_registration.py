"""Our webhook consumer is made, recognised and removed at Codat."""

import dataclasses

import pytest

from processor.alerts import current
from processor.codat.errors import CodatUncertain
from processor.errors import Conflict, Invalid, NotFound
from processor.reconciliation import webhook_registration
from processor.reconciliation.webhook_registration import ALTERNATIVES, HANDLED

URL = "https://us.example/webhooks/codat"


def test_it_is_made_once_for_everything_that_we_handle(truth):
    first = webhook_registration.register(truth.codat, URL)
    second = webhook_registration.register(truth.codat, URL)

    assert (first.is_new, second.is_new) == (True, False)
    assert first.consumer == second.consumer
    assert set(first.consumer.event_types) == set(HANDLED)


def test_each_event_type_that_a_reader_reads_can_be_subscribed_and_has_its_alternatives():
    assert set(HANDLED) == set(current.READERS) == set(ALTERNATIVES)
    assert {"connection.connected", "read.completed.initial"} < set(HANDLED)


LEGACY = [
    "DataConnectionStatusChanged",
    "NewCompanySynchronized",
    "DataSyncCompleted",
    "DataSyncStatusChangedToError",
    "SyncConnectionDeleted",
    "ClientRateLimitReached",
    "ClientRateLimitReset",
]
LEGACY_STATUS = ("DataConnectionStatusChanged",)
NOT_READS = [item for item in HANDLED if not item.startswith("read.")]
NARROWER = ["read.completed.successful", "read.completed.unsuccessful"]


@pytest.mark.parametrize(
    ("event_types", "missing"),
    [
        ([], []),
        (HANDLED, []),
        ([item.upper() for item in HANDLED], []),
        (LEGACY, []),
        (["New company synchronised" if "Company" in item else item for item in LEGACY], []),
        ([*NOT_READS, *NARROWER], []),
        ([*NOT_READS, *NARROWER, "read.completed.successful.initial"], []),
        ([*NOT_READS, "NewCompanySynchronized", "DatasetDataChanged", "DataSyncStatusChangedToError"], []),
        ([*NOT_READS, "NewCompanySynchronized", "DatasetDataChanged"], ["read.completed"]),
        ([*NOT_READS, NARROWER[0]], ["read.completed", "read.completed.initial"]),
        (NOT_READS, ["read.completed", "read.completed.initial"]),
        ([item for item in HANDLED if item != "connection.failed"], ["connection.failed"]),
        (LEGACY[1:], [read for read in NOT_READS if LEGACY_STATUS in ALTERNATIVES.get(read, ())]),
        ([item for item in HANDLED if not item.startswith("company.product.")], []),
    ],
)
def test_what_tells_the_same_in_another_spelling_is_not_missing(truth, event_types, missing):
    """Consumers of the legacy event types, or of the narrower ones, were reported as if messages
    stayed away.
    """
    consumer = truth.codat.create_webhook(URL, HANDLED)
    consumer = dataclasses.replace(consumer, event_types=tuple(event_types))

    assert webhook_registration.missing_event_types([consumer]) == missing
    assert webhook_registration.is_complete(consumer) == (not missing)


def test_an_event_type_that_nothing_replaces_needs_no_entry(truth, monkeypatch):
    """A new one ended the commands and the pages of operators with an error until it had one."""
    consumer = truth.codat.create_webhook(URL, HANDLED)
    monkeypatch.setattr(webhook_registration, "HANDLED", (*HANDLED, "connection.expiring"))

    assert webhook_registration.missing_event_types([consumer]) == ["connection.expiring"]


def test_consumers_may_share_what_we_handle(truth):
    made = [truth.codat.create_webhook(URL, group) for group in (NOT_READS, NARROWER)]
    assert webhook_registration.missing_event_types(made) == []


def test_a_consumer_that_lacks_nothing_stays_as_it_is(truth):
    truth.codat.create_webhook(URL, [*NOT_READS, *NARROWER])
    assert not webhook_registration.register(truth.codat, URL).is_new


def test_one_that_is_switched_off_or_incomplete_is_replaced(truth):
    for wanted in ({"disabled": True}, {"company_tags": ["region:us"]}):
        truth.codat.create_webhook(URL, HANDLED, **wanted)
    truth.codat.create_webhook(URL, HANDLED[:3])

    assert webhook_registration.register(truth.codat, URL).is_new


@pytest.mark.parametrize(
    "url", ["", "us.example/webhooks", "ftp://us.example", "https://", "https://[", URL + "#x"]
)
def test_an_address_to_which_codat_cannot_send_is_refused(truth, url):
    with pytest.raises(Invalid):
        webhook_registration.register(truth.codat, url)
    assert truth.codat.list_webhooks() == []


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://us.example/", "/webhooks/codat"),
        ("https://us.example", "/webhooks/codat"),
        ("https://us.example/webhooks/codat/more", "/webhooks/codat"),
        ("http://us.example/webhooks/codat", "https://"),
        ("http://8.8.8.8/webhooks/codat", "https://"),
    ],
)
def test_an_address_at_which_messages_would_be_lost_or_overheard_is_refused_first(truth, url, why):
    """The consumer was made, and only then it was asked whether its address was right."""
    with pytest.raises(Invalid) as refused:
        webhook_registration.register(truth.codat, url)
    (fields,) = refused.value.errors.values()
    assert why in str(fields)
    assert "--force" in str(fields)
    assert truth.codat.list_webhooks() == []
    assert webhook_registration.register(truth.codat, url, force=True).is_new


@pytest.mark.parametrize(
    "url",
    [
        "https://us.example/webhooks/codat/",
        "https://us.example/webhooks/codat?from=codat",
        "http://localhost:8000/webhooks/codat",
        "http://127.0.0.1:8000/webhooks/codat",
        "http://192.168.1.7/webhooks/codat",
    ],
)
def test_the_right_address_is_taken_and_here_it_needs_no_tls(truth, url):
    assert webhook_registration.register(truth.codat, url).is_new


def test_a_public_address_may_have_a_path_of_its_own(truth):
    url = "https://us.example/accounts/webhooks/codat"
    with pytest.raises(Invalid):
        webhook_registration.register(truth.codat, url, public_url="https://us.example/books")
    assert webhook_registration.register(truth.codat, url, public_url="https://us.example/accounts/").is_new


def test_there_is_room_for_fifty(truth):
    for number in range(50):
        truth.codat.create_webhook(f"https://us.example/{number}", HANDLED)

    with pytest.raises(Conflict):
        webhook_registration.register(truth.codat, URL)


def test_they_are_removed_by_id_or_address_all_or_none(truth):
    item = truth.codat.create_webhook(f"{URL}?1", HANDLED)
    two = truth.codat.create_webhook(f"{URL}?2", HANDLED)

    with pytest.raises(NotFound):
        webhook_registration.remove(truth.codat, [item.id, "unknown"])
    assert len(truth.codat.list_webhooks()) == 2
    assert {gone.id for gone in webhook_registration.remove(truth.codat, [item.id, two.url])} == {
        item.id,
        two.id,
    }
    assert truth.codat.list_webhooks() == []


def test_a_consumer_whose_answer_was_lost_is_looked_for_and_not_made_twice(truth):
    """Codat made the consumer and its answer was lost: the command failed, though all was well."""
    truth.simulation.faults.plan({"method": "POST", "path": "/webhooks", "broken_json": True})
    assert webhook_registration.register(truth.codat, URL).is_new
    assert [webhook.url for webhook in truth.codat.list_webhooks()] == [URL]

    truth.simulation.faults.plan({"method": "POST", "path": "/webhooks", "status": 500})
    with pytest.raises(CodatUncertain):
        webhook_registration.register(truth.codat, f"{URL}?second")
    assert len(truth.codat.list_webhooks()) == 1
