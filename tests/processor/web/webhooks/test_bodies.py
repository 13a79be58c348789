"""Bodies: recognised, in quarantine, too large, or broken."""

import io
import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from redis import Redis

from processor.store import keys
from tests.processor.web.webhooks.messages_sent import CURRENT, depth, fingerprint, is_empty, is_kept
from tests.support import cells, messages
from tests.support.anything import COMPANY, CONNECTION
from tests.support.messages import authorised, signed
from tests.support.serving import ADDRESS, problem, serving

MOST = 1_048_576


def deep(opening: Any, closing: Any = "", depth: Any = 100_000) -> Any:
    return (opening * depth + closing * depth).encode()


NOT_UNDERSTOOD = {
    "nothing": b"",
    "blanks": b" \r\n",
    "not UTF-8": b'{"eventType": "\xff\xfe"}',
    "UTF-16": CURRENT.decode().encode("utf-16"),
    "not JSON": b"eventType=connection.connected",
    "half of it": CURRENT[: len(CURRENT) // 2],
    "two of it": CURRENT + CURRENT,
    "a list": b"[" + CURRENT + b"]",
    "a string": b'"connection.connected"',
    "a number": b"1e999",
    "null": b"null",
    "an empty object": b"{}",
    "neither generation": b'{"eventTypes": "connection.connected", "Rule": "x"}',
    "an event type that is a number": b'{"eventType": 5}',
    "an event type that is an object": b'{"eventType": {}}',
    "a blank event type": b'{"eventType": "  "}',
    "arrays without end": deep("["),
    "deep arrays": deep("[", "]"),
    "deep objects": deep('{"a":', "}"),
    "a deep payload": b'{"eventType": "x", "payload": ' + deep("[", "]", 400) + b"}",
    "a webhook before 2025, without a type": b'{"companyId": "c", "connectionId": "d", "bankAccount": {}}',
    "a NUL": CURRENT.replace(b"Toft", b"\x00"),
    "surrogates in bytes": CURRENT.replace(b"Toft", b"\xed\xa0\x80"),
    "no company": messages.connected("", CONNECTION),
    "no payload": b'{"eventType": "connection.connected"}',
    "a payload that is a list": messages.current("connection.connected", []),
    "a read without a company": messages.current("read.completed", {"dataTypes": []}),
    "a company without an id": messages.current("company.deleted", {"name": "Toft"}),
    "an alert without a company": messages.legacy(
        "DataConnectionStatusChanged", connection_id=CONNECTION, data={"newStatus": "Linked"}
    ),
    "a first sync without a company": messages.legacy("New company synchronized"),
}


@pytest.mark.parametrize("by", ["signature", "authorization"])
@pytest.mark.parametrize("name", NOT_UNDERSTOOD)
def test_what_is_not_recognised_is_answered_202_and_kept_in_quarantine(
    caller: FlaskClient, store: Redis, name: str, by: str
) -> None:
    """Each was refused with 422, so Codat repeated for 28 hours what nobody could mend, and switched an
    endpoint off after five days that received nothing else; a legacy alert was never sent again.
    """
    body = NOT_UNDERSTOOD[name]
    headers = signed(body, "msg_1") if by == "signature" else authorised()
    event_id = "msg_1" if by == "signature" else fingerprint(body)

    answers = [caller.post(ADDRESS, data=body, headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 200]
    assert [answer.json for answer in answers] == [
        {"event_id": event_id, "status": "quarantined"},
        {"event_id": event_id, "status": "duplicate"},
    ]
    assert is_kept(store, event_id, body, "quarantined")
    assert cells.members(store, keys.events_of, "quarantined") == [event_id.encode()]
    assert depth(store) == 0


def test_the_places_of_missing_ids_are_kept_with_the_message(caller: FlaskClient, store: Redis) -> None:
    body = messages.current("connection.connected", {})
    caller.post(ADDRESS, data=body, headers=signed(body, "msg_1"))

    error = cells.message(store, "msg_1")["error"]
    assert "payload.referenceCompany.id, payload.connection.id" in error


UNDERSTOOD = {
    "a NUL in an id": CURRENT.replace(CONNECTION.encode(), b"\\u0000"),
    "a surrogate in an id": CURRENT.replace(CONNECTION.encode(), b"\\ud800"),
    "no connection": messages.connected(COMPANY, ""),
    "an id that is a number": CURRENT.replace(b'"' + CONNECTION.encode() + b'"', b"17"),
    "an endless id": messages.connected(COMPANY, "x" * 5000),
    "an alert without a connection": messages.legacy(
        "DataConnectionStatusChanged", company_id=COMPANY, data={"newStatus": "Linked"}
    ),
    "duplicate keys": CURRENT.replace(b'{"id"', b'{"eventType": "x", "id"', 1),
    "NaN and Infinity": CURRENT.replace(b'"Linked"', b"NaN").replace(b'"gbol"', b"-Infinity"),
    "a number without end": CURRENT.replace(b'"gbol"', b"9" * 6000),
    "a surrogate in a name": CURRENT.replace(b"Toft", b"\\ud800"),
    "a NUL in a name": CURRENT.replace(b"Toft", b"\\u0000"),
    "unknown fields": CURRENT.replace(b'{"id"', b'{"": {"a": [1, null]}, "id"'),
    "an unknown type": messages.other("somebody.thought.of.this"),
    "an unknown type without anything else": b'{"eventType": "x"}',
    "an unknown alert": messages.legacy("Something new"),
    "an unknown alert without anything else": b'{"RuleType": "x"}',
    "a time that is none": CURRENT.replace(
        b'"generatedDate": "2026-03-04T12:00:00', b'"generatedDate": "2026-03-04T23:59:99'
    ),
    "no time": CURRENT.replace(b"generatedDate", b"generated"),
    "a byte order mark": b"\xef\xbb\xbf" + CURRENT,
    "a status that nobody knows": messages.disconnected(COMPANY, CONNECTION, status="Gone"),
    "an alert with a status that nobody knows": messages.status_alert(COMPANY, CONNECTION, "Linked", "Odd"),
    "an alert without data": messages.legacy("New company synchronised", company_id=COMPANY),
    "a read of nothing": messages.read(COMPANY, CONNECTION, {}),
    "nested as deep as is sane": messages.current("x", json.loads(deep("[", "]", 150))),
    "ids beyond ASCII": messages.connected("Gesellschaft-ß", "Verbindung/ü 1"),
}


@pytest.mark.parametrize("by", ["signature", "authorization"])
@pytest.mark.parametrize("name", UNDERSTOOD)
def test_what_is_odd_and_can_be_understood_is_kept_and_answered_202(
    caller: FlaskClient, store: Redis, name: str, by: str
) -> None:
    body = UNDERSTOOD[name]
    event_id = "msg_1" if by == "signature" else fingerprint(body)

    answer = caller.post(
        ADDRESS, data=body, headers=signed(body, "msg_1") if by == "signature" else authorised()
    )

    assert (answer.status_code, answer.json) == (202, {"event_id": event_id, "status": "accepted"})
    assert is_kept(store, event_id, body)


def reading_from(stream: Any, length: Any) -> Any:
    """The environment of a request whose body is read from ``stream``; ``None``: its length is not said."""
    if length is None:
        return {"wsgi.input": stream, "HTTP_TRANSFER_ENCODING": "chunked"}
    return {"wsgi.input": stream, "CONTENT_LENGTH": str(length)}


def padded(size: Any) -> Any:
    body = messages.current("x", {"padding": "", "more": ""})
    return body.replace(b'"padding": ""', b'"padding": "' + b"x" * (size - len(body)) + b'"')


@pytest.mark.parametrize("with_length", [True, False], ids=["with its length", "without its length"])
@pytest.mark.parametrize(("size", "status"), [(MOST, 202), (MOST + 1, 413), (10 * MOST, 413)])
def test_only_what_is_larger_than_the_limit_is_refused(
    caller: FlaskClient, store: Redis, size: Any, status: int, with_length: bool
) -> None:
    body = padded(size)
    assert len(body) == size
    environ = reading_from(io.BytesIO(body), size if with_length else None)

    answer = caller.post(ADDRESS, headers=signed(body, "msg_1"), environ_overrides=environ)

    assert answer.status_code == status
    if status == 413:
        problem(answer)
        assert is_empty(store)
    else:
        assert is_kept(store, "msg_1", body)


def test_not_more_is_read_than_the_limit(redis_url: str) -> None:
    class Endless:
        taken = 0

        def read(self, size: Any) -> Any:
            assert 0 < size <= 1_001
            self.taken += size
            return b"x" * size

    stream = Endless()
    caller = serving(redis_url, MAX_BODY_BYTES="1000")

    answer = caller.post(ADDRESS, headers=authorised(), environ_overrides=reading_from(stream, None))
    assert answer.status_code == 413
    assert stream.taken == 1_001


def test_a_body_that_says_to_be_too_large_is_not_read_at_all(caller: FlaskClient) -> None:
    class Untouchable:
        def read(self, _: Any) -> None:
            raise AssertionError("was read")

    environ = reading_from(Untouchable(), 10 * MOST)
    assert caller.post(ADDRESS, headers=authorised(), environ_overrides=environ).status_code == 413


def test_a_sender_who_goes_away_in_the_middle_gets_no_500(caller: FlaskClient, store: Redis) -> None:
    class Broken:
        def read(self, _: Any) -> None:
            raise OSError("gone")

    environ = reading_from(Broken(), len(CURRENT))
    answer = caller.post(ADDRESS, headers=signed(CURRENT), environ_overrides=environ)

    assert answer.status_code == 503
    assert is_empty(store)


def test_a_body_that_is_shorter_than_it_says_is_not_authentic(caller: FlaskClient, store: Redis) -> None:
    environ = reading_from(io.BytesIO(CURRENT[:-5]), len(CURRENT))

    answer = caller.post(ADDRESS, headers=signed(CURRENT), environ_overrides=environ)
    assert answer.status_code == 401
    assert is_empty(store)


@pytest.mark.parametrize("length", ["-5", "x", "1e3", "", "٣"])
def test_a_content_length_that_is_none_gets_no_500(caller: FlaskClient, length: str) -> None:
    environ = reading_from(io.BytesIO(CURRENT), length)
    answer = caller.post(ADDRESS, headers=signed(CURRENT), environ_overrides=environ)

    assert answer.status_code in (202, 401)
