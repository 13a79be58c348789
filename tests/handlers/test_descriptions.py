"""What events say of a connection and its company, and which connections they are about."""

from dataclasses import replace
from typing import Any

import pytest

from handlers.connection import Connection
from handlers.events import (
    Company,
    CompanyCreated,
    CompanyDeleted,
    ConnectionDetails,
    ConnectionLinked,
    DeletionClaimed,
    Event,
    HistorySeen,
    InitialReadClaimed,
    ReadCompleted,
    Source,
    UnhandledEvent,
    UnidentifiedConnectionChanged,
)
from handlers.reads import DataTypeRead
from tests.handlers.support.codat_messages import COMPANY, CONNECTION_ID
from tests.handlers.support.story import at, dataset, history, linked


def common(second: float = 0) -> dict[str, Any]:
    return {
        "event_id": f"event@{second}",
        "event_type": "a.type",
        "source": Source.CURRENT,
        "received_at": at(second),
        "at": at(second),
    }


def told(second: float, **details: Any) -> Event:
    """A message that describes the connection."""
    described = ConnectionDetails(id=CONNECTION_ID, **details)
    return ConnectionLinked(**common(second), company=COMPANY, connection=described)


def described(connection: Connection, event: Event) -> Connection:
    return connection.with_description(
        event, event.connection if isinstance(event, ConnectionLinked) else None
    )


@pytest.mark.parametrize("kind", [UnhandledEvent, InitialReadClaimed, DeletionClaimed])
def test_an_event_that_may_name_a_connection_is_about_that_alone(kind: Any) -> None:
    named, unnamed = kind(**common(), connection_id="c"), kind(**common())

    assert (named.connection_ids, named.concerns_whole_company) == (("c",), False)
    assert unnamed.connection_ids == ()
    assert unnamed.concerns_whole_company is (kind is not UnhandledEvent)


def test_an_event_of_a_company_is_about_all_of_its_connections_where_it_changes_them() -> None:
    for event, whole in ((CompanyDeleted(**common()), True), (CompanyCreated(**common()), False)):
        assert event.connection_ids == ()
        assert event.concerns_whole_company is whole
    assert UnidentifiedConnectionChanged(**common()).concerns_whole_company is True


def test_every_connection_is_named_once_and_in_order() -> None:
    reads = tuple(DataTypeRead(id_, "bills", "Complete") for id_ in "bab")
    assert ReadCompleted(**common(), reads=reads).connection_ids == ("b", "a")
    assert ReadCompleted(**common(), reads=reads).concerns_whole_company is False
    assert linked(0).connection_ids == (CONNECTION_ID,)
    rows = replace(dataset("bills", "Complete", requested=1), connection_id="b")
    seen = history(5, rows, rows)
    assert isinstance(seen, HistorySeen)
    assert seen.connection_ids == (CONNECTION_ID, "b")


def test_the_newest_description_wins_and_an_older_one_fills_gaps() -> None:
    connection = described(Connection(CONNECTION_ID), told(10, platform_key="gbol", platform_name="Xero"))
    assert (connection.platform_name, connection.described_at) == ("Xero", at(10))

    older = described(
        connection, told(9, platform_key="other", platform_name="Old", source_type="Accounting")
    )
    assert (older.platform_key, older.platform_name, older.source_type) == ("gbol", "Xero", "Accounting")
    assert older.described_at == at(10)

    same_time = described(connection, told(10, platform_key="gbol", platform_name="Xero UK"))
    assert same_time.platform_name == "Xero UK"

    newer = described(connection, told(11, platform_key="gbol", platform_name="Xero"))
    assert newer.described_at == at(11)  # the same words, and known to hold until then


def test_an_event_without_a_platform_is_no_newest_description() -> None:
    connection = described(Connection(CONNECTION_ID), told(10, platform_key="gbol"))

    assert described(connection, told(20)) is connection
    assert described(connection, told(20, platform_name="Xero")).described_at == at(10)
    assert described(connection, replace(linked(20), company=None)).described_at == at(20)


def test_what_an_event_leaves_out_is_kept() -> None:
    connection = described(Connection(CONNECTION_ID), told(10, platform_key="gbol", platform_name="Xero"))

    later = described(connection, told(11, platform_key="gbol"))

    assert (later.platform_name, later.company_id, later.merchant_id) == ("Xero", "company-1", "merchant-1")
    unnamed = replace(linked(12), company=Company(id="company-2", name=None, tags={}))
    assert described(later, unnamed).merchant_id == "merchant-1"


def test_the_account_before_is_remembered_where_another_one_was_connected() -> None:
    first = described(Connection(CONNECTION_ID), told(10, account_name="Shop"))
    assert (first.account_name, first.previous_account_name) == ("Shop", None)

    same = described(first, told(20, account_name="Shop", platform_name="Xero"))
    assert (same.account_name, same.previous_account_name) == ("Shop", None)

    other = described(same, told(30, account_name="Other shop"))
    assert (other.account_name, other.previous_account_name) == ("Other shop", "Shop")
