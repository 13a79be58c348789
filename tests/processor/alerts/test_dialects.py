"""Any bytes at all: an event or a refusal, and never anything else."""

import json
import logging
import threading
from copy import deepcopy
from datetime import datetime

import pytest

from handlers.events import ConnectionLinked, LinkStatusClaimed, Source, UnhandledEvent
from processor.alerts.dialects import MAX_DEPTH, Unrecognised, recognise
from tests.support.dialects import BODY, CURRENT, LEGACY, OUR_MISTAKE, recognised


def reason_of(body: bytes) -> str:
    with pytest.raises(Unrecognised) as refusal:
        recognised(body)
    return refusal.value.reason


def with_text(inserted: str) -> bytes:
    """A good body with ``inserted`` as a first member of its own."""
    return ("{" + inserted + ", " + BODY.decode()[1:]).encode()


# Bytes that are no object


@pytest.mark.parametrize(
    "body", [b"\xff\xfe{}", b'{"eventType": "\xed\xa0\x80"}', b"\x80", BODY.decode().encode("utf-16")]
)
def test_a_body_that_is_not_utf_8_is_refused(body: bytes) -> None:
    assert reason_of(body) == "the body is not UTF-8"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"eventType": "a"',
        b"{'eventType': 1}",
        BODY + b"x",
        BODY + BODY,
        b"eventType=a",
        b"\x00",
        b"<xml/>",
        b'{"eventType": "a\nb"}',
        b'{"a": 01}',
        b'{"a": .5}',
        b"\xef\xbb\xbf",
        BODY + b"\x00",
    ],
)
def test_a_body_that_is_not_json_is_refused(body: bytes) -> None:
    assert reason_of(body) == "the body is not JSON"


@pytest.mark.parametrize(
    "body", [b"[]", b"[" + BODY + b"]", b"1", b'"eventType"', b"null", b"true", b"NaN", b"-Infinity"]
)
def test_json_that_is_not_an_object_is_refused(body: bytes) -> None:
    assert reason_of(body) == "the body is not a JSON object"


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"type": "connection.connected"}',
        b'{"eventType": 1}',
        b'{"eventType": null}',
        b'{"eventType": ""}',
        b'{"eventType": {}}',
        b'{"RuleType": 7}',
        b'{"RuleType": " "}',
        b'{"eventType": "\\u0000"}',
    ],
)
def test_an_object_of_neither_generation_is_refused(body: bytes) -> None:
    assert reason_of(body) == "the object has neither an eventType nor a RuleType"


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_nesting_beyond_measure_is_refused(opening: bytes) -> None:
    assert reason_of(b'{"eventType": "a", "x": ' + opening * 200_000) == "the body is nested too deeply"


def nested(depth: int) -> bytes:
    """An object of that many levels, itself the first."""
    return b'{"eventType": "a", "x": ' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_nesting_is_measured_by_levels() -> None:
    assert type(recognised(nested(MAX_DEPTH))) is UnhandledEvent
    assert reason_of(nested(MAX_DEPTH + 1)) == "the body is nested too deeply"


def test_many_brackets_that_are_not_nested_are_no_nesting() -> None:
    beside = ", ".join(['{"a": []}'] * 1_000)
    inside_strings = json.dumps("[{" * 1_000 + '\\"' + "[{" * 1_000)
    assert type(recognised(with_text(f'"x": [{beside}], "y": {inside_strings}'))) is ConnectionLinked


def test_nesting_does_not_overrun_a_thread_with_a_small_stack() -> None:
    """json in Python 3.13 ended the process (SIGSEGV) in a thread with a stack of 1 MB or less."""
    reasons: list[str] = []
    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=lambda: reasons.append(reason_of(nested(9_000))))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert reasons == ["the body is nested too deeply"]


@pytest.mark.parametrize("text", ['"' + '\\"' * 300_000, '"' * 300_001, "\\" * 300_001, '"]' * 300_000])
def test_measuring_the_nesting_takes_linear_time(text: str) -> None:
    """Quadratic, each of these would take hours: the suite's time limit for a test is the assertion."""
    assert reason_of(b"[]" * 300 + text.encode()) == "the body is not JSON"


def test_ten_megabytes_are_read_or_refused_like_anything_else() -> None:
    assert reason_of(b"[" * 10_000_000)
    assert reason_of(b"x" * 10_000_000) == "the body is not JSON"
    assert type(recognised(with_text('"x": "' + "y" * 10_000_000 + '"'))) is ConnectionLinked
    long_type = json.dumps({"eventType": "y" * 10_000_000}).encode()
    assert recognised(long_type).event_type == "y" * 200


# Objects with oddities, recognised all the same


def test_the_eventtype_decides_before_the_ruletype() -> None:
    both = json.dumps(LEGACY | CURRENT).encode()
    assert recognised(both).source is Source.CURRENT
    unusable = json.dumps(LEGACY | {"eventType": 5}).encode()
    assert recognised(unusable).source is Source.LEGACY


def test_of_duplicate_keys_the_last_counts() -> None:
    assert type(recognised(with_text('"eventType": "something.else"'))) is ConnectionLinked
    last = BODY.decode()[:-1] + ', "eventType": "something.else"}'
    assert type(recognised(last.encode())) is UnhandledEvent


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e999", "1" * 5_000, "-" + "9" * 5_000, "1e-9999"]
)
def test_a_number_beyond_measure_in_an_unknown_field_is_passed_over(number: str) -> None:
    assert type(recognised(with_text(f'"x": {number}'))) is ConnectionLinked
    assert type(recognised(with_text(f'"x": [{number}], "y": 7'))) is ConnectionLinked


def test_a_number_beyond_measure_does_not_hide_that_the_rest_is_not_json() -> None:
    assert reason_of(with_text('"x": ' + "1" * 5_000) + b"]") == "the body is not JSON"
    deep = '"x": ' + "1" * 5_000 + ', "y": ' + "[" * 100_000 + "]" * 100_000
    assert reason_of(with_text(deep)) == "the body is nested too deeply"


def test_a_byte_order_mark_is_passed_over() -> None:
    assert recognised(b"\xef\xbb\xbf" + BODY) == recognised(BODY)


def test_unknown_fields_of_any_type_are_passed_over() -> None:
    assert recognised(with_text('"x": {"y": [1, null, {"z": 1.5}]}, "": "", "__proto__": {}')) == recognised(
        BODY
    )


def test_surrogates_and_control_characters_in_texts_are_replaced() -> None:
    body = deepcopy(CURRENT)
    body["payload"]["referenceCompany"]["name"] = " a\ud800b\x00c\r\nSubject: x\u2028 "
    company = recognised(json.dumps(body).encode()).company
    assert company is not None
    assert company.name == "a\ufffdb c  Subject: x"


def test_a_pair_of_surrogates_is_a_character() -> None:
    body = with_text('"x": 1').replace(b"Corner Shop", b"\\ud83d\\ude00")
    company = recognised(body).company
    assert company is not None
    assert company.name == "\U0001f600"


def test_a_legacy_body_is_recognised_whatever_authenticated_it() -> None:
    event = recognised(json.dumps(LEGACY).encode())
    assert type(event) is LinkStatusClaimed
    assert event.event_id == "msg_1"


# Refusals


def test_a_refusal_shows_nothing_of_the_body() -> None:
    body = deepcopy(CURRENT)
    body["payload"]["referenceCompany"]["id"] = "private\x00value"
    with pytest.raises(Unrecognised) as refusal:
        recognised(json.dumps(body).encode())
    shown = refusal.value.reason + str(refusal.value) + json.dumps(dict(refusal.value.fields))
    assert "private" not in shown
    assert refusal.value.fields == {"payload.referenceCompany.id": "missing or not a usable id"}


def test_a_mistake_of_ours_ends_in_quarantine_and_in_the_log_without_the_body(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A legacy sender does not come back after a 500: the message would be lost."""
    naive = datetime(2026, 11, 22, 15, 0)  # what the caller must not pass: it cannot be compared
    with caplog.at_level(logging.ERROR), pytest.raises(Unrecognised, match=OUR_MISTAKE):
        recognise(BODY, event_id="msg_1", received_at=naive)
    [record] = caplog.records
    assert (record.__dict__["event_id"], record.__dict__["error"]) == ("msg_1", "TypeError")
    assert "Corner Shop" not in caplog.text + str(record.__dict__)
