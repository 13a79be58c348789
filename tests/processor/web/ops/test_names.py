"""Who is meant: merchants are found by what a caller says, receivers are called what people call them."""

from typing import Any

import pytest
from redis import Redis

from processor.clock import to_ms
from processor.delivery.subscribers import Subscriber, names_of
from processor.erasure.erase import CompanyEraser
from processor.resources import company_search
from processor.store import keys
from tests.processor.web.ops.operating import Operator, add_subscriber, told_of
from tests.processor.web.v1.filling import START, Filling
from tests.support import cells


def keep_companies(store: Redis, *rows: dict[str, str]) -> None:
    """Companies as a sign-up leaves them, each with an ``id``; the last is the newest."""
    with store.pipeline(transaction=False) as pipe:
        for number, row in enumerate(rows):
            pipe.hset(keys.company(row["id"]), mapping=dict[Any, Any](row))
            pipe.zadd(keys.companies(keys.cell_of(row["id"])), {row["id"]: to_ms(START) + number})
        pipe.execute()


# Searching by what a caller says


@pytest.mark.parametrize(
    "wanted",
    [
        "O'Brien",
        "o\u2019brien",
        "OBRIEN",
        " o brien ",
        "O'Brien & S\xf8n",
        "brien",
        "Caf\xe9 O'Brien",
        "cafe",
        "owner@shop.example",
        "Owner@Shop.Example",
    ],
)
def test_a_company_is_found_by_a_part_of_its_name_or_by_its_contact(
    operator: Operator, store: Redis, wanted: str
) -> None:
    """Somebody calls at night and gives a name; the search knew nothing but ids."""
    keep_companies(
        store,
        {
            "id": "c-1",
            "merchant_id": "m-1",
            "name": "O Brien & S n",
            "given_name": "Caf\xe9 O\u2019Brien & S\xf8n",
            "contact_email": "owner@shop.example",
        },
        {"id": "c-2", "merchant_id": "m-2", "name": "Toft stores", "contact_email": "o@toft.example"},
        {"id": "c-3"},
    )
    answer = operator.open("/ops/search", q=wanted)
    assert answer.status_code == 200, "a part of a name is no id: nobody is led anywhere by it"
    assert "1 company by this name" in answer.text
    assert 'href="/ops/companies/c-1"' in answer.text
    assert "Caf\xe9 O\u2019Brien &amp; S\xf8n" in answer.text
    assert "c-2" not in answer.text
    assert "c-3" not in answer.text


def test_a_name_that_codat_alone_told_is_found(operator: Operator, filling: Filling) -> None:
    filling.make_ready()
    answer = operator.open("/ops/search", q="toft ST\xd6R")
    assert 'href="/ops/companies/c1"' in answer.text
    assert "Toft st\xf6res" in answer.text


@pytest.mark.parametrize("wanted", ["shop.example", "owner@shop", "wner@shop.example", "'", "&", "\u0301"])
def test_a_part_of_an_address_or_no_letter_at_all_finds_nobody(
    operator: Operator, store: Redis, wanted: str
) -> None:
    keep_companies(store, {"id": "c-1", "name": "Caf\xe9 & Bar", "contact_email": "owner@shop.example"})
    assert "Nothing is known by this id" in operator.read("/ops/search", q=wanted)


def test_an_id_goes_before_names(operator: Operator, store: Redis) -> None:
    keep_companies(store, {"id": "toft", "name": "Other"}, {"id": "c-2", "name": "Toft"})
    assert operator.open("/ops/search", q="toft").headers["Location"] == "/ops/companies/toft"


def test_names_that_begin_with_it_stand_first_and_deleted_ones_say_so(
    operator: Operator, store: Redis
) -> None:
    keep_companies(
        store,
        {"id": "c-1", "name": "Brien's", "deleted_at": "2026-11-01T00:00:00Z"},
        {"id": "c-2", "name": "O'Brien"},
        {"id": "c-3", "name": "MacBrien", "merchant_id": "<i>"},
    )
    answer = operator.open("/ops/search", q="brien")
    shown = operator.read("/ops/search", q="brien")
    assert shown.startswith("3 companies by this name")
    assert "Brien's : merchant not known, deleted MacBrien : merchant <i> O'Brien" in shown
    assert "<i>" not in answer.text


def test_a_search_that_stopped_says_so(operator: Operator, store: Redis) -> None:
    many = [{"id": f"c-{number}", "name": f"Shop {number}"} for number in range(company_search.MAX_COMPARED)]
    keep_companies(store, {"id": "oldest", "name": "Toft"}, *many)
    shown = operator.read("/ops/search", q="toft")
    assert shown.startswith("Nothing is known by this id")
    assert "Not all were compared: 10,000 companies were compared, the newest first" in shown
    answer = operator.open("/ops/search", q="shop")
    assert "at most 50 are shown" in answer.text
    assert answer.text.count('href="/ops/companies/') == company_search.MAX_RESULTS
    cells.remove(store, keys.companies, "oldest")
    assert "compared, the newest first" not in operator.read("/ops/search", q="Shop 9999")


def test_an_erased_company_is_found_by_nothing(operator: Operator, store: Redis) -> None:
    keep_companies(store, {"id": "c-1", "name": "Toft", "contact_email": "o@toft.example"})
    CompanyEraser(store).erase("c-1", START)
    for wanted in ("toft", "o@toft.example"):
        assert "Nothing is known by this id" in operator.read("/ops/search", q=wanted)


def test_a_company_is_called_what_the_merchant_calls_it(
    operator: Operator, filling: Filling, store: Redis
) -> None:
    filling.make_ready()
    store.hset(keys.company("c1"), "given_name", "T\xf6ft & S\u014dn")
    shown = operator.read("/ops/companies/c1")
    assert shown.startswith("T\xf6ft & S\u014dn")
    assert "Name at Codat Toft st\xf6res" in shown


# What receivers are called


def subscriber(id_: str, url: str, description: str = "") -> Subscriber:
    return Subscriber(id=id_, url=url, secret="whsec_x", description=description)


def test_a_receiver_is_called_by_its_note_else_by_its_host_and_never_by_its_address() -> None:
    made = names_of(
        [
            subscriber("sub_1", "https://engine.example/secret?key=secret", " Loan engine "),
            subscriber("sub_2", "https://user:pass@crm.example:8443/secret"),
            subscriber("sub_3", "https://twice.example/a"),
            subscriber("sub_4", "https://twice.example/b"),
        ]
    )
    assert made == {
        "sub_1": "Loan engine",
        "sub_2": "crm.example:8443",
        "sub_3": "twice.example (sub_3)",
        "sub_4": "twice.example (sub_4)",
    }


def test_wherever_a_receiver_is_meant_its_name_leads_to_its_page(
    operator: Operator, filling: Filling, store: Redis
) -> None:
    """``sub_b0fc…: paused`` told nobody whom to call."""
    filling.make_ready()
    named, bare = (
        add_subscriber(filling, "http://127.0.0.1:9/secret", description="Loan <engine>"),
        add_subscriber(filling, "http://127.0.0.1:9/secret?key=secret"),
    )
    for lane in (named, bare):
        store.hset(keys.lane_state(lane), mapping={"mode": "slow"})
    path = f"/ops/notifications/{told_of(filling)}"
    operator.send(path)
    for page in ("/ops", path, "/ops/connections/xero"):
        text, shown = operator.open(page).text, operator.read(page)
        assert "Loan &lt;engine&gt;" in text, page
        assert "127.0.0.1:9" in shown, page
        assert "secret" not in text, page
        for lane in (named, bare):
            assert f'href="/ops/subscribers/{lane}"' in text, page
            assert lane not in shown, page
    assert "Deliveries to Loan <engine> fail: " in operator.read("/ops")


def test_a_receiver_that_was_removed_is_called_by_its_id(
    operator: Operator, filling: Filling, store: Redis
) -> None:
    filling.make_ready()
    lane = add_subscriber(filling)
    path = f"/ops/notifications/{told_of(filling)}"
    operator.send(path)
    store.delete(keys.subscriber(lane))
    store.zrem(keys.subscribers(), lane)
    assert f"To {lane} pending" in operator.read(path)
    assert f"{lane} pending" in operator.read("/ops/connections/xero")


def test_a_contact_with_an_international_domain_is_found_as_it_is_written(
    operator: Operator, store: Redis
) -> None:
    """The domain is kept in ASCII; operators type the address as the merchant did."""
    keep_companies(store, {"id": "c-1", "name": "Toft", "contact_email": "zoe@xn--bcher-kva.example"})
    for typed in ("zoe@bücher.example", "Zoe@BÜCHER.example", "zoe@xn--bcher-kva.example"):
        assert "Toft" in operator.read("/ops/search", q=typed)
    assert "Toft" not in operator.read("/ops/search", q="zoe@-ü.example")
