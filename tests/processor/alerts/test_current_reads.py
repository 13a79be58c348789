"""Current messages about reads: the outcome per data type and connection."""

from typing import Any

import pytest

from handlers.events import ReadCompleted
from handlers.reads import DataTypeRead
from tests.processor.alerts.test_current import (
    COMPANY,
    READ_TYPES,
    message,
    read_message,
    recognised,
    refused,
)


@pytest.mark.parametrize("event_type", READ_TYPES)
def test_reads_of_several_connections_are_kept_in_order(event_type: str) -> None:
    entries = [
        {"connectionId": "c-2", "dataType": "bills", "status": "FetchError", "recordsModified": True},
        {"connectionId": "c-1", "dataType": "invoices", "status": "Complete", "issues": []},
        {"connectionId": "c-2", "dataType": "items", "status": "SomethingNew"},
    ]
    event = recognised(read_message(entries, event_type))
    assert type(event) is READ_TYPES[event_type]
    assert event.reads == (
        DataTypeRead("c-2", "bills", "FetchError"),
        DataTypeRead("c-1", "invoices", "Complete"),
        DataTypeRead("c-2", "items", "SomethingNew"),
    )
    assert event.connection_ids == ("c-2", "c-1")


@pytest.mark.parametrize("payload", [{"dataTypes": []}, {"dataTypes": None}, {}])
def test_a_read_without_data_types_is_recognised_and_names_no_connection(payload: dict[str, Any]) -> None:
    event = recognised(message("read.completed", {"referenceCompany": COMPANY} | payload))
    assert isinstance(event, ReadCompleted)
    assert (event.reads, event.connection_ids) == ((), ())


def test_unusable_entries_are_skipped_while_one_remains() -> None:
    entries = [
        None,
        3,
        "x",
        [],
        {},
        {"connectionId": "c-1"},
        {"dataType": "bills"},
        {"connectionId": 1, "dataType": "x"},
    ]
    good = {"connectionId": "c-1", "dataType": "bills", "status": "Complete"}
    event = recognised(read_message([*entries, good]))
    assert isinstance(event, ReadCompleted)
    assert event.reads == (DataTypeRead("c-1", "bills", "Complete"),)


@pytest.mark.parametrize("entries", [[{}], [None], "invoices", {"connectionId": "c-1"}, 0, False, ""])
def test_data_types_of_which_nothing_can_be_used_are_refused(entries: object) -> None:
    assert list(refused(read_message(entries)).fields) == ["payload.dataTypes"]


@pytest.mark.parametrize("status", [None, "", 5, []])
def test_a_read_without_a_status_is_kept_as_unknown(status: object) -> None:
    event = recognised(read_message([{"connectionId": "c-1", "dataType": "bills", "status": status}]))
    assert isinstance(event, ReadCompleted)
    assert event.reads[0].status == "Unknown"


@pytest.mark.parametrize(
    ("issues", "said"),
    [
        (
            [{"type": "warning.validation", "message": "odd"}, {"type": "error.fetch", "message": "bad"}],
            "bad",
        ),
        ([{"type": "warning.validation", "message": "odd"}, {"type": "warning", "message": "odder"}], "odd"),
        ([{"type": "error"}, {"message": "first with words"}, 7, None], "first with words"),
        ([], None),
        (None, None),
        ("text", None),
    ],
)
def test_a_read_is_explained_by_its_first_error(issues: object, said: str | None) -> None:
    entry = {"connectionId": "c-1", "dataType": "bills", "status": "FetchError", "issues": issues}
    event = recognised(read_message([entry]))
    assert isinstance(event, ReadCompleted)
    assert event.reads[0].message == said


@pytest.mark.parametrize("event_type", READ_TYPES)
def test_a_read_without_a_company_is_refused(event_type: str) -> None:
    entry = {"connectionId": "c-1", "dataType": "bills", "status": "Complete"}
    assert list(refused(message(event_type, {"dataTypes": [entry]})).fields) == [
        "payload.referenceCompany.id"
    ]
