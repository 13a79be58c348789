"""Erasing a company."""

import json
from typing import Any

import pytest

from processor.alerts.replay import ReplayService
from processor.erasure.residue_scan import scan
from processor.errors import Conflict
from processor.journey.records import Records
from processor.store import keys
from processor.store.waker import Waker
from tests.processor.erasure.conftest import COMPANY, CONNECTION, CONTACT, MERCHANT, NAME, OTHER, TRACES, live
from tests.support import cells, messages
from tests.support.counting import everything
from tests.support.workbench import company_in
from workers.inbox.drain import Drain


def test_nothing_is_left_and_others_lose_nothing(bench, erasure):
    live(bench, OTHER, "connection-of-another", "another-merchant", "another@shop.example")
    bench.drain_all()
    alone = everything(bench.client)
    live(bench)
    assert not scan(bench.client, TRACES).is_clean
    assert scan(bench.client, (NAME,)).residue == (keys.company(COMPANY),)

    kept = erasure.erase(COMPANY, bench.clock())

    assert set(kept.identifiers) == set(TRACES)
    assert kept.counts == {
        "companies": 1,
        "connections": 1,
        "messages": 9,
        "notifications": 3,
        "stream entries": 3,
        "questions": 1,
    }
    proof = scan(bench.client, (*TRACES, NAME))
    assert proof.residue == ()
    assert proof.searched > 20
    now = everything(bench.client)
    passing = (
        "cursor",
        "wake",
        "counters",
        "seen",
        "erased",
        "inbox",
        "replays",
        "fan-out",
    )
    alone, now = (
        {name: value for name, value in state.items() if not name.partition("}:")[2].startswith(passing)}
        for state in (alone, now)
    )
    assert set(alone) == set(now)
    changed = {name for name in alone if alone[name] != now[name]}
    assert changed <= {keys.stream(), *map(keys.published, keys.cells())}  # it notes what was removed
    assert len(bench.told("connection-of-another")) == 3


def test_what_comes_late_is_marked_processed_and_dropped(bench, erasure):
    live(bench)
    erasure.erase(COMPANY, bench.clock())
    bench.clock.forward(60)

    ids = bench.handle(
        messages.reconnected(COMPANY, CONNECTION, at=bench.clock()),
        messages.company("company.created", COMPANY, merchant_id=MERCHANT),
        messages.status_alert(COMPANY, CONNECTION, "Unlinked", "Linked"),
        messages.synchronised_alert(COMPANY),
        messages.company("company.deleted", COMPANY),
    )

    assert {bench.status(event_id) for event_id in ids} == {"processed"}
    assert bench.state(CONNECTION) is None
    assert scan(bench.client, (COMPANY, CONNECTION)).residue == ()
    with pytest.raises(Conflict, match="erased"):
        ReplayService(reader=bench.reader, inbox=bench.inbox, waker=Waker(bench.client)).replay(ids[0])


def test_the_tombstone_tells_nothing_of_the_company(bench, erasure):
    live(bench)
    erasure.erase(COMPANY, bench.clock())

    (stone,) = bench.client.keys(b"codat:{*}:erased:*")
    assert COMPANY.encode() not in stone
    assert bench.client.get(stone).decode().startswith("2026-")
    assert bench.client.ttl(stone) == -1


def test_a_message_that_codat_repeats_after_an_erasure_and_a_new_sign_up_is_a_duplicate(bench, erasure):
    body = messages.connected(COMPANY, CONNECTION, at=bench.clock())
    bench.send(body, event_id="msg_repeated")
    bench.drain_all()
    erasure.erase(COMPANY, bench.clock())
    bench.client.delete(keys.erased(COMPANY))
    (result,) = bench.send(body, event_id="msg_repeated")
    assert result.duplicate
    bench.drain_all()
    assert bench.state(CONNECTION) is None


def test_a_drain_under_way_cannot_bring_it_back(bench, erasure):
    """The drain has read the company; the erasure comes between its reading and its commit."""
    bench.handle(messages.connected(COMPANY, CONNECTION, at=bench.clock()))
    bench.send(messages.company("company.created", COMPANY, merchant_id=MERCHANT, name="Bakery"))
    drain = bench.drain()
    learn = []

    class Interrupted(Drain):
        @staticmethod
        def _understand(*args: Any) -> Any:
            events = Drain._understand(*args)
            if not learn:
                learn.append(erasure.erase(COMPANY, bench.clock()))
            return events

    drain.__class__ = Interrupted
    drain.run(keys.cell_of(COMPANY))
    bench.client.delete(keys.wake(keys.cell_of(COMPANY)))
    bench.drain_all()

    assert learn
    assert scan(bench.client, (COMPANY, CONNECTION, MERCHANT)).residue == ()


def test_a_merchant_who_has_another_company_by_now_keeps_it(bench, erasure):
    live(bench)
    bench.handle(messages.company("company.created", OTHER, merchant_id=MERCHANT, at=bench.clock()))

    kept = erasure.erase(COMPANY, bench.clock())

    assert MERCHANT not in kept.identifiers
    assert bench.reader.current_company_id(MERCHANT) == OTHER


def test_a_sign_up_that_read_the_company_before_it_was_erased_leaves_no_address_behind(bench, erasure):
    """The address came back, for ever, in a row that no list showed."""
    live(bench)
    records = Records(bench.client)
    records.save_local_fields(COMPANY, {"contact_email": "new@bakery.example", "given_name": NAME})
    assert bench.reader.company(COMPANY)["contact_email"] == "new@bakery.example"
    erasure.erase(COMPANY, bench.clock())

    records.save_local_fields(COMPANY, {"contact_email": CONTACT, "given_name": NAME})

    assert scan(bench.client, (*TRACES, NAME)).residue == ()


def test_two_companies_of_one_merchant_are_erased_one_after_the_other(bench, erasure):
    live(bench)
    live(bench, OTHER, "connection-of-another")

    assert MERCHANT not in erasure.erase(COMPANY, bench.clock()).identifiers
    assert scan(bench.client, (COMPANY, CONNECTION)).residue == ()
    assert bench.reader.company_ids(MERCHANT) == [OTHER]

    kept = erasure.erase(OTHER, bench.clock())
    assert MERCHANT in kept.identifiers
    assert scan(bench.client, (*kept.identifiers, *TRACES)).residue == ()


def test_of_a_company_that_changed_hands_no_merchant_is_left(bench, erasure):
    live(bench)
    bench.client.delete(keys.wake(keys.cell_of(COMPANY)))
    bench.clock.forward(60)
    bench.handle(
        messages.connected(COMPANY, "connection-2", merchant_id="another-merchant", at=bench.clock())
    )

    kept = erasure.erase(COMPANY, bench.clock())

    assert "another-merchant" in kept.identifiers
    assert scan(bench.client, (*kept.identifiers, *TRACES)).residue == ()


def test_erased_twice_it_is_the_same_and_what_came_since_goes(bench, erasure):
    live(bench)
    erasure.erase(COMPANY, bench.clock())
    first = bench.reader.erased_at(COMPANY)
    bench.clock.forward(60)
    bench.inbox.quarantine("msg_late", json.dumps({"x": COMPANY}).encode(), bench.clock(), "why")

    assert erasure.erase(COMPANY, bench.clock()).counts["messages"] == 1
    assert not any(erasure.erase(COMPANY, bench.clock()).counts.values())
    assert bench.reader.erased_at(COMPANY) == first


def test_companies_of_all_cells_can_be_erased(bench, erasure):
    for cell in range(4):
        company = company_in(cell)
        bench.handle(messages.connected(company, f"connection-of-{company}", at=bench.clock()))
        erasure.erase(company, bench.clock())
        assert scan(bench.client, (f"connection-of-{company}",)).residue == ()


def test_a_damaged_record_is_erased_with_the_note_of_it(bench, erasure):
    """The note that a connection cannot be read names its id: it goes with the company."""
    live(bench)
    bench.client.set(cells.where(bench.client, keys.connection, CONNECTION), b"{garbage")
    assert bench.reader.connection(CONNECTION) is None
    erasure.erase(COMPANY, bench.clock())
    assert scan(bench.client, TRACES).residue == ()
