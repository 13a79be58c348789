"""Unrecognised messages that name a company are erased with it."""

import json

import pytest

from processor.erasure.residue_scan import scan
from processor.errors import NotFound
from processor.store import keys
from processor.store.inbox import Inbox
from tests.processor.erasure.conftest import COMPANY, CONNECTION, OTHER
from tests.support import messages
from tests.support.counting import RoundTrips, everything

QUARANTINED = {
    "nothing": b"not json",
    "another": json.dumps({"companyId": OTHER}).encode(),
    "word": b'{"companyId": "c", "say": "company-1 and company-10"}',
    "upper": b'{"broken": ' + COMPANY.upper().encode(),
    "path": json.dumps({"url": f"https://app.example/companies/{COMPANY}/x"}).encode(),
}


def test_messages_in_quarantine_go_with_the_company_that_they_name_and_with_no_other(bench, erasure):
    """A short id stood in bodies by chance."""
    for event_id, body in QUARANTINED.items():
        bench.inbox.quarantine(event_id, body, bench.clock(), "why")

    assert bench.inbox.discard("path", status="quarantined")

    with pytest.raises(NotFound):  # a word that some message holds is not the id of a company
        erasure.erase("c", bench.clock())
    assert set(erasure.erase(COMPANY, bench.clock()).events) == {"upper", "path"}
    assert scan(bench.client, [COMPANY]).residue == ()
    bench.handle(messages.connected("company-1", CONNECTION, at=bench.clock()))
    assert {"word"}.isdisjoint(erasure.erase("company-1", bench.clock()).events)
    bench.handle(messages.connected("c", "another", at=bench.clock()))
    assert "word" in erasure.erase("c", bench.clock()).events
    left = bench.client.zrange(keys.events_of("quarantined"), 0, -1)
    assert set(left) == {b"nothing", b"another"}


def test_a_message_that_left_the_quarantine_is_erased_though_nobody_handled_it_yet(bench, erasure, redis_url):
    """A crash between the steps of a replay left a body that no erasure found."""
    body = messages.connected(COMPANY, CONNECTION, at=bench.clock())
    bench.inbox.quarantine("msg_1", body, bench.clock(), "why")
    trips = RoundTrips()
    with trips.client(redis_url) as client:
        inbox = Inbox(client)
        inbox.release(messages.understood(body, "msg_2"))  # the engine learns the script
        trips.reset()
        assert inbox.release(messages.understood(body, "msg_1"))[0]
        assert trips.count == 1

    assert erasure.erase(COMPANY, bench.clock()).events == ["msg_1"]
    assert not bench.client.exists(keys.event("msg_1"))


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_a_blank_names_nothing(bench, erasure, blank):
    """`companies erase ""` deleted every message in quarantine: nothing stands in everything."""
    for event_id, body in QUARANTINED.items():
        bench.inbox.quarantine(event_id, body, bench.clock(), "why")
    before = everything(bench.client)

    with pytest.raises(NotFound):
        erasure.erase(blank, bench.clock())

    assert everything(bench.client) == before
