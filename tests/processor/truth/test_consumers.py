"""Our webhook consumer is made, recognised and removed at Codat."""

import pytest

from processor.alerts import current
from processor.errors import Conflict, Invalid, NotFound
from processor.truth import consumers
from processor.truth.consumers import HANDLED

URL = "https://us.example/webhooks/codat"


def test_it_is_made_once_for_everything_that_we_handle(truth):
    first = consumers.register(truth.codat, URL)
    second = consumers.register(truth.codat, URL)

    assert (first.made, second.made) == (True, False)
    assert first.consumer == second.consumer
    assert set(first.consumer.event_types) == set(HANDLED)


def test_what_we_handle_is_what_our_reader_reads():
    assert {one.lower() for one in HANDLED} == set(current._READERS)


def test_one_that_is_switched_off_or_incomplete_is_replaced(truth):
    for wanted in ({"disabled": True}, {"company_tags": ["region:us"]}):
        truth.codat.create_webhook(URL, HANDLED, **wanted)
    truth.codat.create_webhook(URL, HANDLED[:3])

    assert consumers.register(truth.codat, URL).made


@pytest.mark.parametrize("url", ["", "us.example/webhooks", "ftp://us.example", "https://", URL + "#x"])
def test_an_address_to_which_codat_cannot_send_is_refused(truth, url):
    with pytest.raises(Invalid):
        consumers.register(truth.codat, url)
    assert truth.codat.list_webhooks() == []


def test_there_is_room_for_fifty(truth):
    for number in range(50):
        truth.codat.create_webhook(f"https://us.example/{number}", HANDLED)

    with pytest.raises(Conflict):
        consumers.register(truth.codat, URL)


def test_they_are_removed_by_id_or_address_all_or_none(truth):
    one = truth.codat.create_webhook(f"{URL}?1", HANDLED)
    two = truth.codat.create_webhook(f"{URL}?2", HANDLED)

    with pytest.raises(NotFound):
        consumers.remove(truth.codat, [one.id, "unknown"])
    assert len(truth.codat.list_webhooks()) == 2
    assert {gone.id for gone in consumers.remove(truth.codat, [one.id, two.url])} == {one.id, two.id}
    assert truth.codat.list_webhooks() == []
