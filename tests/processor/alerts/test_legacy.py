"""The legacy generation: spellings, claims, and what an alert without this or that still says."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from handlers import events
from handlers.events import (
    Company,
    ConnectionDetails,
    DeletionClaimed,
    Event,
    InitialReadClaimed,
    LinkStatus,
    LinkStatusClaimed,
    ReadCompleted,
    Source,
    UnhandledEvent,
)
from handlers.reads import DataTypeRead
from processor.alerts.dialects import Unrecognised, recognise

RECEIVED_AT = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
STATUS_CHANGED = "DataConnectionStatusChanged"


def alert(rule_type: str, data: object = None, **fields: Any) -> dict[str, Any]:
    body = {
        "AlertId": "not-a-key",
        "RuleId": "rule-1",
        "RuleType": rule_type,
        "ClientId": "client-1",
        "ClientName": "Bank of Somebody",
        "CompanyId": "company-1",
        "DataConnectionId": "connection-1",
        "Message": "Something happened",
        "Data": data,
    } | fields
    return {key: value for key, value in body.items() if value is not None}


def recognised(body: object) -> Event:
    return recognise(json.dumps(body).encode(), event_id="sha256-1", received_at=RECEIVED_AT)


def refused(body: object) -> Unrecognised:
    with pytest.raises(Unrecognised) as refusal:
        recognised(body)
    return refusal.value


SPELLINGS: dict[type[Event], list[str]] = {
    LinkStatusClaimed: [
        "DataConnectionStatusChanged",
        "Data Connection Status Changed",
        "data connection status changed()",
        "DATA-CONNECTION_STATUS.CHANGED",
    ],
    InitialReadClaimed: [
        "New company synchronized",
        "New company synchronised",
        "NewCompanySynchronized",
        "NewCompanySynchronised",
        "new company  synchronized ",
    ],
    ReadCompleted: [
        "Data sync completed",
        "DataSyncCompleted",
        "Dataset data changed",
        "DatasetDataChanged",
        "Data Sync Status Changed To Error",
        "DataSyncStatusChangedToError",
    ],
    DeletionClaimed: ["Sync Connection Deleted", "SyncConnectionDeleted"],
    events.RateLimitReached: ["Rate Limit Reached", "RateLimitReached"],
    events.RateLimitReset: ["Rate Limit Reset", "rate limit reset"],
    UnhandledEvent: [
        "Push Operation Status Changed()",
        "Push Operation Timed Out",
        "Sync Completed",
        "Sync Failed",
        "Account Categories Updated",
        "Data sync completed twice",
        "()",
        "é",
    ],
}
DATA = {
    "newStatus": "Linked",
    "oldStatus": "PendingAuth",
    "dataType": "invoices",
    "datasetStatus": "FetchError",
}


@pytest.mark.parametrize(
    ("kind", "spelling"), [(kind, each) for kind, all_ in SPELLINGS.items() for each in all_]
)
def test_rule_types_are_compared_without_case_spaces_and_punctuation(
    kind: type[Event], spelling: str
) -> None:
    event = recognised(alert(spelling, DATA))
    assert type(event) is kind
    assert (event.event_type, event.source) == (spelling.strip(), Source.LEGACY)
    assert (event.at, event.timed, event.received_at) == (RECEIVED_AT, False, RECEIVED_AT)
    assert event.company == Company("company-1")


# Claims about the link


def test_a_changed_status_is_a_claim_about_the_link() -> None:
    data = {
        "dataConnectionId": "c-9",
        "newStatus": "deauthorized",
        "oldStatus": "LINKED",
        "platformKey": "gbol",
    }
    event = recognised(alert(STATUS_CHANGED, data))
    assert isinstance(event, LinkStatusClaimed)
    assert (event.old, event.new) == (LinkStatus.LINKED, LinkStatus.DEAUTHORIZED)
    assert event.connection == ConnectionDetails("c-9", platform_key="gbol", status=LinkStatus.DEAUTHORIZED)


@pytest.mark.parametrize("old", [None, "Gone", 5, ""])
def test_an_old_status_that_is_missing_or_unknown_is_unsaid(old: object) -> None:
    event = recognised(alert(STATUS_CHANGED, {"newStatus": "Linked", "oldStatus": old}))
    assert isinstance(event, LinkStatusClaimed)
    assert event.old is None
    assert event.connection_ids == ("connection-1",)


@pytest.mark.parametrize(
    "data", [None, [], "x", {}, {"newStatus": "Paused"}, {"newStatus": 3}, {"newStatus": None}]
)
def test_a_new_status_that_is_missing_or_unknown_is_only_recorded(data: object) -> None:
    event = recognised(alert(STATUS_CHANGED, data))
    assert type(event) is UnhandledEvent
    assert event.connection_ids == ("connection-1",)


def test_a_claim_without_its_ids_is_refused_by_place() -> None:
    no_connection = alert(STATUS_CHANGED, DATA, DataConnectionId=None)
    assert type(recognised(no_connection)) is events.UnidentifiedConnectionChanged
    assert list(refused(alert(STATUS_CHANGED, DATA, CompanyId=" ")).fields) == ["CompanyId"]
    neither = alert(STATUS_CHANGED, DATA, CompanyId=4, DataConnectionId="\x00")
    assert set(refused(neither).fields) == {"CompanyId", "DataConnectionId"}


def test_keys_are_taken_in_any_case_inside_and_outside_of_data() -> None:
    body = {
        "ruleType": STATUS_CHANGED,
        "companyId": "company-1",
        "data": {"DataConnectionId": "c-1", "NewStatus": "Linked", "OLDSTATUS": "Unlinked"},
    }
    event = recognised(body)
    assert isinstance(event, LinkStatusClaimed)
    assert (event.old, event.new, event.connection_ids) == (LinkStatus.UNLINKED, LinkStatus.LINKED, ("c-1",))


# Claims about the company


@pytest.mark.parametrize("data", [None, {}, {"sourceType": "Accounting"}])
def test_a_synchronised_company_with_and_without_data_or_connection(data: object) -> None:
    item = recognised(alert("New company synchronized", data))
    assert isinstance(item, InitialReadClaimed)
    assert (item.connection_ids, item.concerns_whole_company) == (("connection-1",), False)
    all_of_it = recognised(alert("New company synchronized", data, DataConnectionId=None))
    assert isinstance(all_of_it, InitialReadClaimed)
    assert (all_of_it.connection_ids, all_of_it.concerns_whole_company) == ((), True)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Corner Shop", "Corner Shop"),
        ("2e9d2c44-f675-40ba-8049-353bfcb5e172", None),
        ("2E9D2C44F67540BA8049353BFCB5E172", None),
        ("", None),
        (7, None),
    ],
)
def test_a_company_has_the_name_of_the_data_and_never_that_of_the_client(
    written: object, name: str | None
) -> None:
    event = recognised(alert("New company synchronized", {"companyName": written}))
    assert event.company == Company("company-1", name)


@pytest.mark.parametrize("rule_type", ["New company synchronized", "Sync Connection Deleted"])
def test_a_claim_about_a_company_needs_the_company(rule_type: str) -> None:
    assert list(refused(alert(rule_type, CompanyId=None)).fields) == ["CompanyId"]


def test_a_deletion_may_name_its_connection_or_not() -> None:
    named = recognised(alert("Sync Connection Deleted"))
    assert isinstance(named, DeletionClaimed)
    assert (named.connection_ids, named.concerns_whole_company) == (("connection-1",), False)
    unnamed = recognised(alert("Sync Connection Deleted", DataConnectionId=None))
    assert isinstance(unnamed, DeletionClaimed)
    assert (unnamed.connection_ids, unnamed.concerns_whole_company) == ((), True)


# Reads


@pytest.mark.parametrize("rule_type", ["Data sync completed", "Dataset data changed"])
def test_a_completed_sync_is_a_complete_read(rule_type: str) -> None:
    event = recognised(alert(rule_type, {"dataType": "creditNotes"}))
    assert isinstance(event, ReadCompleted)
    assert event.reads == (DataTypeRead("connection-1", "creditNotes", "Complete"),)


@pytest.mark.parametrize(
    ("status", "kept"), [("MapError", "MapError"), (None, "InternalError"), (3, "InternalError")]
)
def test_a_sync_in_error_is_a_read_that_failed(status: object, kept: str) -> None:
    event = recognised(
        alert("Data Sync Status Changed To Error", {"dataType": "bills", "datasetStatus": status})
    )
    assert isinstance(event, ReadCompleted)
    assert event.reads == (DataTypeRead("connection-1", "bills", kept, "Something happened"),)


@pytest.mark.parametrize(
    "rule_type", ["Data sync completed", "Dataset data changed", "DataSyncStatusChangedToError"]
)
def test_a_sync_that_names_no_connection_or_data_type_is_only_recorded(rule_type: str) -> None:
    assert type(recognised(alert(rule_type))) is UnhandledEvent
    assert type(recognised(alert(rule_type, {"dataType": 4}))) is UnhandledEvent
    assert type(recognised(alert(rule_type, {"dataType": "bills"}, DataConnectionId=None))) is UnhandledEvent


def test_a_sync_without_a_company_is_refused() -> None:
    assert list(refused(alert("Data sync completed", DATA, CompanyId=None)).fields) == ["CompanyId"]


# The client, and everything else


def test_a_used_up_quota_says_until_when() -> None:
    body = alert(
        "Rate Limit Reached", {"ExpiresUtc": "2026-11-23T00:00:00Z"}, CompanyId=None, DataConnectionId=None
    )
    event = recognised(body)
    assert isinstance(event, events.RateLimitReached)
    assert (event.expires_at, event.company) == (datetime(2026, 11, 23, tzinfo=UTC), None)


def test_a_rule_that_is_none_of_ours_needs_nothing() -> None:
    event = recognised({"RuleType": "Somebody Else's Rule"})
    assert type(event) is UnhandledEvent
    assert (event.company, event.connection_ids) == (None, ())
