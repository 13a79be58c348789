"""Unrecognised messages that name a company are erased with it."""

import json

import pytest

from processor.erasure.residue_scan import scan
from processor.errors import NotFound
from processor.store import keys
from processor.store.inbox import UNRECOGNISED
from tests.processor.erasure.conftest import COMPANY, CONNECTION, OTHER
from tests.support import cells, messages
from tests.support.counting import everything

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

    assert bench.inbox.discard("path", status="quarantined", cell=UNRECOGNISED)

    with pytest.raises(NotFound):  # a word that some message holds is not the id of a company
        erasure.erase("c", bench.clock())
    assert set(erasure.erase(COMPANY, bench.clock()).unrecognised) == {"upper", "path"}
    assert scan(bench.client, [COMPANY]).residue == ()
    bench.handle(messages.connected("company-1", CONNECTION, at=bench.clock()))
    assert {"word"}.isdisjoint(erasure.erase("company-1", bench.clock()).unrecognised)
    bench.handle(messages.connected("c", "another", at=bench.clock()))
    assert "word" in erasure.erase("c", bench.clock()).unrecognised
    left = cells.members(bench.client, keys.events_of, "quarantined")
    assert set(left) == {b"nothing", b"another"}


def test_a_message_that_left_the_quarantine_is_erased_though_nobody_handled_it_yet(bench, erasure):
    """A crash between the steps of a replay left a body that no erasure found."""
    body = messages.connected(COMPANY, CONNECTION, at=bench.clock())
    bench.inbox.quarantine("msg_1", body, bench.clock(), "why")
    bench.inbox.accept(messages.understood(body, "msg_1"), body)  # the first step of a replay

    assert erasure.erase(COMPANY, bench.clock()).events == ["msg_1"]
    assert not cells.message(bench.client, "msg_1")


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_a_blank_names_nothing(bench, erasure, blank):
    """`companies erase ""` deleted every message in quarantine: nothing stands in everything."""
    for event_id, body in QUARANTINED.items():
        bench.inbox.quarantine(event_id, body, bench.clock(), "why")
    before = everything(bench.client)

    with pytest.raises(NotFound):
        erasure.erase(blank, bench.clock())

    assert everything(bench.client) == before
