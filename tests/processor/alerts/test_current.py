"""The current generation: each event type, each thing that may be missing, each oddity."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from handlers import events
from handlers.events import (
    Company,
    ConnectionDetails,
    ConnectionEnded,
    Event,
    LinkStatus,
    Problem,
    ReadCompleted,
    Source,
    UnhandledEvent,
)
from processor.alerts.dialects import Unrecognised, recognise

RECEIVED_AT = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
COMPANY = {"id": "company-1", "name": "Corner Shop", "tags": {"merchantId": "m-1", "region": "north"}}
CONNECTION = {
    "id": "connection-1",
    "integrationId": "integration-1",
    "integrationKey": "gbol",
    "platformName": "Xero",
    "sourceType": "Accounting",
    "status": "Linked",
}
CONNECTION_TYPES: dict[str, type[Event]] = {
    "connection.created": events.ConnectionCreated,
    "connection.connected": events.ConnectionLinked,
    "connection.reconnected": events.ConnectionRelinked,
    "connection.failed": events.ConnectionFailed,
    "connection.disconnected": events.ConnectionEnded,
    "connection.deleted": events.ConnectionDeleted,
}
READ_TYPES: dict[str, type[ReadCompleted]] = {
    "read.completed": events.ReadCompleted,
    "read.completed.initial": events.InitialReadCompleted,
}
COMPANY_TYPES: dict[str, type[Event]] = {
    "company.created": events.CompanyCreated,
    "company.deleted": events.CompanyDeleted,
}
UNUSABLE_IDS = [None, "", "  ", 7, True, [], {}, "x" * 129, "a\x00b", "a\nb", "\ud800", "a\u2028b", 1.5]


def message(event_type: str, payload: object, **fields: Any) -> dict[str, Any]:
    return {
        "id": "not-a-key",
        "eventType": event_type,
        "generatedDate": "2026-11-22T14:59:00Z",
        "payload": payload,
    } | fields


def connection_message(event_type: str, *, company: object = COMPANY, **connection: Any) -> dict[str, Any]:
    return message(event_type, {"referenceCompany": company, "connection": CONNECTION | connection})


def read_message(entries: object, event_type: str = "read.completed") -> dict[str, Any]:
    return message(event_type, {"referenceCompany": COMPANY, "dataTypes": entries})


def recognised(body: object) -> Event:
    return recognise(json.dumps(body).encode(), event_id="msg_1", received_at=RECEIVED_AT)


def refused(body: object) -> Unrecognised:
    with pytest.raises(Unrecognised) as refusal:
        recognised(body)
    return refusal.value


@pytest.mark.parametrize("event_type", CONNECTION_TYPES)
def test_each_connection_event_has_its_class_and_its_connection(event_type: str) -> None:
    event = recognised(connection_message(event_type))
    assert type(event) is CONNECTION_TYPES[event_type]
    assert isinstance(event, events.ConnectionEvent)
    assert event.connection == ConnectionDetails(
        id="connection-1",
        platform_key="gbol",
        platform_name="Xero",
        source_type="Accounting",
        integration_id="integration-1",
        status=LinkStatus.LINKED,
    )
    assert event.company == Company("company-1", "Corner Shop", {"merchantId": "m-1", "region": "north"})
    assert event.company.merchant_id == "m-1"
    assert (event.event_id, event.event_type, event.source) == ("msg_1", event_type, Source.CURRENT)
    assert (event.at, event.timed) == (datetime(2026, 11, 22, 14, 59, tzinfo=UTC), True)


@pytest.mark.parametrize(
    ("event_type", "shown", "products"),
    [
        ("company.product.added", ["accounting", None, "lending"], ("accounting", "lending")),
        ("company.product.removed", [], ()),
        ("Company.Product.Removed", "lending", None),
        ("company.product.added", [{"identifier": "lending"}], None),
        ("company.product.added", None, None),
        ("company.created", ["not yet all"], None),
    ],
)
def test_messages_about_products_name_all_of_the_company(
    event_type: str, shown: object, products: tuple[str, ...] | None
) -> None:
    payload = {**COMPANY, "productId": "lending", "productName": "Lending", "products": shown}
    event = recognised(message(event_type, payload))
    assert event.company is not None
    assert (event.company.id, event.company.products) == ("company-1", products)
    referring = {"referenceCompany": {"id": "company-2"}, "products": shown}
    event = recognised(message(event_type, referring))
    assert event.company is not None
    assert (event.company.id, event.company.products) == ("company-2", products)


@pytest.mark.parametrize(
    "event_type", ["Connection.Connected", "CONNECTION.CONNECTED", " connection.connected "]
)
def test_event_types_are_compared_without_case_and_kept_as_written(event_type: str) -> None:
    event = recognised(connection_message(event_type))
    assert type(event) is events.ConnectionLinked
    assert event.event_type == event_type.strip()


@pytest.mark.parametrize("unusable", UNUSABLE_IDS)
@pytest.mark.parametrize("event_type", CONNECTION_TYPES)
def test_of_a_connection_event_without_a_usable_id_the_company_is_in_doubt(
    event_type: str, unusable: object
) -> None:
    event = recognised(connection_message(event_type, id=unusable))
    assert type(event) is events.UnidentifiedConnectionChanged
    assert (event.connection_ids, event.concerns_whole_company) == ((), True)
    no_company = refused(connection_message(event_type, company=COMPANY | {"id": unusable}))
    assert list(no_company.fields) == ["payload.referenceCompany.id"]


@pytest.mark.parametrize("payload", [None, [], "x", 1, {}, {"connection": [], "referenceCompany": "x"}])
def test_a_connection_event_with_a_broken_payload_is_refused(payload: object) -> None:
    assert set(refused(message("connection.connected", payload)).fields) == {
        "payload.referenceCompany.id",
        "payload.connection.id",
    }


@pytest.mark.parametrize("odd", [None, 1, [], {}, "", "\x00", True])
def test_an_oddity_beside_the_ids_costs_its_field_and_not_the_message(odd: object) -> None:
    connection = {"id": "connection-1"} | dict.fromkeys(
        ["integrationKey", "platformName", "sourceType", "integrationId", "status", "dataConnectionErrors"],
        odd,
    )
    company = {"id": "company-1", "name": odd, "tags": odd, "links": odd}
    body = message("connection.failed", {"referenceCompany": company, "connection": connection}, id=odd)
    event = recognised(body)
    assert isinstance(event, events.ConnectionFailed)
    assert event.connection == ConnectionDetails("connection-1")
    assert event.company == Company("company-1")
    assert event.problem is None


def test_an_id_is_trimmed_and_keeps_its_case_unless_it_is_a_guid() -> None:
    event = recognised(connection_message("connection.connected", id="  0A-b \t"))
    assert event.connection_ids == ("0A-b",)


GUID = "0AC7B63C-17A3-4E5B-90FB-1234567890AB"
NIL = "00000000-0000-0000-0000-000000000000"


def test_what_is_a_guid_is_folded_to_lower_case() -> None:
    """``connection.disconnected`` with the ids of a known connection in upper case made a second connection
    of a second company, and the real one stayed ``ready``.
    """
    event = recognised(connection_message("connection.disconnected", id=GUID, company=COMPANY | {"id": GUID}))
    assert event.connection_ids == (GUID.lower(),)
    assert event.company is not None
    assert event.company.id == GUID.lower()


@pytest.mark.parametrize("event_type", READ_TYPES)
def test_the_nil_id_names_nothing(event_type: str) -> None:
    """The nil id became a connection, and wandered from company to company."""
    row = {"connectionId": NIL, "dataType": "bills", "status": "Complete"}
    assert recognised(read_message([row], event_type)).connection_ids == ()
    named = recognised(read_message([row, row | {"connectionId": GUID}], event_type))
    assert named.connection_ids == (GUID.lower(),)
    assert recognised(message("bills.write.successful", {"connectionId": NIL})).connection_ids == ()
    assert list(refused(message("company.deleted", COMPANY | {"id": NIL})).fields) == ["payload.id"]


# The end of access


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("Unlinked", LinkStatus.UNLINKED),
        ("Deauthorized", LinkStatus.DEAUTHORIZED),
        ("DEAUTHORIZED", LinkStatus.DEAUTHORIZED),
    ],
)
@pytest.mark.parametrize("errors", [[], [{"statusCode": "401", "status": "Active"}]])
def test_a_disconnection_ends_for_the_reason_of_its_status(
    status: str, reason: LinkStatus, errors: list[object]
) -> None:
    event = recognised(
        connection_message("connection.disconnected", status=status, dataConnectionErrors=errors)
    )
    assert isinstance(event, ConnectionEnded)
    assert event.reason is reason


@pytest.mark.parametrize("status", ["Linked", "PendingAuth", "Gone", None, 5])
def test_a_disconnection_whose_status_gives_no_reason_goes_by_its_errors(status: object) -> None:
    without = recognised(connection_message("connection.disconnected", status=status))
    assert isinstance(without, ConnectionEnded)
    assert without.reason is LinkStatus.UNLINKED
    errors = [{"statusCode": "401", "statusText": "revoked"}]
    revoked = recognised(
        connection_message("connection.disconnected", status=status, dataConnectionErrors=errors)
    )
    assert isinstance(revoked, ConnectionEnded)
    assert (revoked.reason, revoked.problem) == (LinkStatus.DEAUTHORIZED, Problem("401", "revoked"))


# Problems


def error(code: object, status: str | None, errored: object = None) -> dict[str, object]:
    return {"statusCode": code, "status": status, "erroredOnUtc": errored}


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([error("1", "Active", "2026-01-02T00:00:00Z"), error("2", "Active", "2026-01-01T00:00:00Z")], "1"),
        ([error("1", "Active", "2026-01-01T00:00:00Z"), error("2", "Resolved", "2026-01-02T00:00:00Z")], "1"),
        ([error("1", "Resolved"), error("2", "Resolved")], "2"),
        ([error("1", "Active"), error("2", "active")], "2"),
        ([error("1", "Active", "23:59:99"), error("2", "Active", "2026-01-01T00:00:00Z")], "2"),
        ([error(403, "Active")], "403"),
        ([error("1", "Active"), "not an error", None, 3], "1"),
        ([error([], "Active")], None),
        ([error("1", None, "2026-02-01T00:00:00Z"), error("2", "Active", "2026-01-01T00:00:00Z")], "1"),
        ([error("1", None), {**error("2", None), "resolvedOnUtc": "2026-01-01T00:00:00Z"}], "1"),
    ],
)
def test_the_problem_is_the_newest_active_error_or_else_the_last(
    errors: list[object], code: str | None
) -> None:
    event = recognised(connection_message("connection.failed", dataConnectionErrors=errors))
    assert isinstance(event, events.ConnectionFailed)
    assert event.problem == Problem(code)


# Companies, quotas, everything else


@pytest.mark.parametrize("event_type", COMPANY_TYPES)
def test_the_payload_of_a_company_event_is_the_company(event_type: str) -> None:
    event = recognised(message(event_type, COMPANY))
    assert type(event) is COMPANY_TYPES[event_type]
    assert event.company == Company("company-1", "Corner Shop", COMPANY["tags"])  # type: ignore[arg-type]


@pytest.mark.parametrize("payload", [None, {}, {"id": 3}, {"id": " "}, []])
@pytest.mark.parametrize("event_type", COMPANY_TYPES)
def test_a_company_event_without_its_company_is_refused(event_type: str, payload: object) -> None:
    assert list(refused(message(event_type, payload)).fields) == ["payload.id"]


@pytest.mark.parametrize(
    ("expiry", "expires_at"),
    [
        ("2026-11-23T00:00:00Z", datetime(2026, 11, 23, tzinfo=UTC)),
        ("2026-11-22T23:59:99Z", None),
        (None, None),
        (1, None),
    ],
)
def test_a_used_up_quota_says_until_when_if_that_can_be_read(
    expiry: object, expires_at: datetime | None
) -> None:
    event = recognised(message("client.rateLimit.reached", {"expiryDate": expiry}))
    assert isinstance(event, events.RateLimitReached)
    assert (event.expires_at, event.company) == (expires_at, None)


def test_a_quota_that_is_full_again_needs_no_payload() -> None:
    assert type(recognised({"eventType": "client.rateLimit.reset"})) is events.RateLimitReset


@pytest.mark.parametrize(
    "event_type", ["invoices.write.successful", "read.completed.later", "connection", "x" * 5_000]
)
@pytest.mark.parametrize(
    "payload", [None, {}, [], {"connection": {}}, {"dataTypes": "x"}, {"referenceCompany": {"id": 1}}]
)
def test_a_type_that_is_none_of_ours_needs_nothing(event_type: str, payload: object) -> None:
    event = recognised(message(event_type, payload))
    assert type(event) is UnhandledEvent
    assert (event.company, event.connection_ids) == (None, ())
    assert event.event_type == event_type[:200]


@pytest.mark.parametrize(
    "named",
    [
        {"connectionId": "c-1"},
        {"connection": {"id": "c-1"}},
        {"connectionId": "c-1", "connection": {"id": "c-2"}},
    ],
)
def test_a_type_that_is_none_of_ours_names_its_company_and_connection_where_given(
    named: dict[str, Any],
) -> None:
    event = recognised(message("bankFeeds.something", {"referenceCompany": COMPANY} | named))
    assert type(event) is UnhandledEvent
    assert event.company is not None
    assert (event.company.id, event.connection_ids) == ("company-1", ("c-1",))


def test_tags_are_taken_whole_or_not_at_all() -> None:
    """A merchant's id cut short would be another merchant's."""
    tags = {
        "merchantId": "m" * 501,
        "a": 1,
        "b": None,
        "": "x",
        "c": "",
        "d": "\ud800",
        "e": "line\nbreak",
        "f": " kept ",
    }
    event = recognised(connection_message("connection.connected", company=COMPANY | {"tags": tags}))
    assert event.company is not None
    assert event.company.tags == {"f": " kept "}
    assert event.company.merchant_id is None
