"""What is read of a company's hash, and of a notification."""

from typing import Any

import pytest
from redis import Redis

from processor.store import bodies, keys, unreadable
from processor.store.records import (
    company_record,
    members,
    notification_parts,
    notification_row,
    read_members,
)


@pytest.mark.parametrize(
    ("stored", "products"),
    [('["lending"]', ("lending",)), ("[]", ()), ("5", None), ('"lending"', None), ("{", None), ("{}", None)],
)
def test_products_that_are_no_list_are_not_known(stored: str, products: tuple[str, ...] | None) -> None:
    """A number raised a TypeError that nobody caught, and a text became its letters."""
    assert company_record({"products": stored}).products == products
    assert company_record({}).products is None


def test_a_notification_is_stored_without_its_id_and_read_with_it() -> None:
    row = notification_row(b'{"type":"x","data":{"connection_id":"connection-1"}}', "connection-1")

    public = b'{"id":"ntf_1","type":"x","data":{"connection_id":"connection-1"}}'
    assert notification_parts("ntf_1", row) == (public, "connection-1")
    assert b"ntf_" not in bodies.unpack(row)


def test_the_connections_of_a_company_come_in_the_order_in_which_they_were_heard_of() -> None:
    damaged = {"c:d": "damaged", "c:e": "9" * 5_000}
    row = {"id": "c1", "name": "Toft", "c:b": "5", "c:a": "7", "c:c": "5", **damaged}
    assert list(members(row).items()) == [("d", 0), ("e", 0), ("b", 5), ("c", 5), ("a", 7)]


def test_a_company_that_cannot_be_read_has_no_connections_and_is_noted(client: "Redis[Any]") -> None:
    client.hset(keys.company("c1"), mapping={"id": "c1", "c:xero": 5})
    client.set(keys.company("c2"), "a record of another type")

    assert read_members(client, ["c1", "c2", "c3"]) == [{"xero": 5}, {}, {}]
    assert [(note.kind, note.id) for note in unreadable.noted(client)] == [("company", "c2")]
