"""Whatever the bytes: an event that is fit to keep, or a refusal."""

import json
from dataclasses import asdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.events import ConnectionLinked, Event, LinkStatusClaimed, ReadCompleted
from processor.alerts.dialects import Unrecognised
from tests.support.dialects import BODY, CURRENT, LEGACY, OUR_MISTAKE, RECEIVED_AT, recognised
from tests.support.effort import examples

ODD = st.sampled_from(
    [
        None,
        True,
        "",
        " ",
        "\x00",
        "\ud800",
        "a\udfffb",
        "\u2028",
        0,
        -1,
        10**40,
        1.5,
        float("nan"),
        float("inf"),
        [],
        {},
        [[]],
        "Linked",
        "Active",
        "2026-11-22T23:59:99Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "x" * 300,
    ]
)
TEXTS = st.text(st.characters(), max_size=20)
SCALARS = ODD | TEXTS | st.integers() | st.floats()
KEYS = st.sampled_from(
    [
        "eventType",
        "generatedDate",
        "payload",
        "referenceCompany",
        "connection",
        "connectionId",
        "dataTypes",
        "dataType",
        "id",
        "name",
        "tags",
        "status",
        "issues",
        "dataConnectionErrors",
        "erroredOnUtc",
        "expiryDate",
        "RuleType",
        "ruletype",
        "Data",
        "CompanyId",
        "DataConnectionId",
        "newStatus",
        "oldStatus",
        "datasetStatus",
        "companyName",
        "Message",
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | TEXTS, inner, max_size=6),
    max_leaves=15,
)
TYPES = st.sampled_from(
    [
        "connection.created",
        "connection.connected",
        "connection.reconnected",
        "connection.failed",
        "connection.disconnected",
        "connection.deleted",
        "read.completed",
        "read.completed.initial",
        "company.created",
        "company.deleted",
        "company.other",
        "client.rateLimit.reached",
        "client.rateLimit.reset",
        "other",
    ]
)
RULES = st.sampled_from(
    [
        "DataConnectionStatusChanged",
        "New company synchronized",
        "Data sync completed",
        "Data Sync Status Changed To Error",
        "Sync Connection Deleted",
        "Rate Limit Reached",
        "Rate Limit Reset",
        "Other",
    ]
)


def assert_an_event_or_a_refusal(body: bytes) -> None:
    try:
        event = recognised(body)
    except Unrecognised as refusal:
        problem = refusal
    else:
        assert isinstance(event, Event)
        assert_fit_to_keep(asdict(event))
        assert event.at.utcoffset() == RECEIVED_AT.utcoffset()
        assert all(0 < len(connection_id) <= 128 for connection_id in event.connection_ids)
        return
    assert OUR_MISTAKE not in problem.reason


def assert_fit_to_keep(value: object) -> None:
    """Whatever text an event carries can be written by any encoder, on one line."""
    if isinstance(value, str):
        assert "\x00" not in value
        assert value.splitlines() in ([value], [])
        value.encode()
    elif isinstance(value, dict):
        for key, entry in value.items():
            assert_fit_to_keep(key)
            assert_fit_to_keep(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            assert_fit_to_keep(entry)


def places_in(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside an object."""
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [path, *(place for key, child in children for place in places_in(child, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], new: object) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(copy[path[0]], path[1:], new)
    return copy


@settings(max_examples=examples(500))
@given(st.binary(max_size=300))
def test_any_bytes_give_an_event_or_a_refusal(body: bytes) -> None:
    assert_an_event_or_a_refusal(body)


@settings(max_examples=examples(500))
@given(VALUES, st.booleans())
def test_any_json_gives_an_event_or_a_refusal(value: object, ascii_only: bool) -> None:
    assert_an_event_or_a_refusal(json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))


@settings(max_examples=examples(800))
@given(TYPES, st.sampled_from(places_in(CURRENT)), VALUES)
def test_a_current_body_with_any_value_anywhere_gives_an_event_or_a_refusal(
    event_type: str, place: tuple[Any, ...], new: object
) -> None:
    body = replaced(CURRENT | {"eventType": event_type}, place, new)
    assert_an_event_or_a_refusal(json.dumps(body).encode())


@settings(max_examples=examples(500))
@given(RULES, st.sampled_from(places_in(LEGACY)), VALUES)
def test_a_legacy_body_with_any_value_anywhere_gives_an_event_or_a_refusal(
    rule_type: str, place: tuple[Any, ...], new: object
) -> None:
    body = replaced(LEGACY | {"RuleType": rule_type}, place, new)
    assert_an_event_or_a_refusal(json.dumps(body).encode())


@settings(max_examples=examples(300))
@given(st.integers(0, len(BODY) - 1), st.binary(max_size=3), st.integers(0, 20))
def test_a_body_damaged_anywhere_gives_an_event_or_a_refusal(at: int, inserted: bytes, lost: int) -> None:
    assert_an_event_or_a_refusal(BODY[:at] + inserted + BODY[at + lost :])


def test_the_fuzzed_bodies_are_good_ones_before_they_are_changed() -> None:
    assert type(recognised(BODY)) is ConnectionLinked
    read = json.dumps(CURRENT | {"eventType": "read.completed"}).encode()
    assert type(recognised(read)) is ReadCompleted
    assert type(recognised(json.dumps(LEGACY).encode())) is LinkStatusClaimed
