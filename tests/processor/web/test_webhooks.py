"""``POST /webhooks/codat``: the table of answers, for both generations and for every bad input."""

import dataclasses
import hashlib
import io
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from processor.alerts.signature import Authenticator
from processor.container import for_web
from processor.runtime.embedded_engine import Engine
from processor.settings.loading import load
from processor.store import keys
from processor.store.client import WEB_TIMEOUT_S, connect
from processor.store.waker import DRAIN, Waker
from processor.web import create_app
from tests.support import messages
from tests.support.anything import BODIES, COMPANY, CONNECTION, HEADER_NAMES, HEADER_VALUES
from tests.support.effort import examples
from tests.support.messages import AUTHORIZATION, OTHER_SECRET, SECRET, authorised, signed
from tests.support.service import until
from tests.support.serving import ADDRESS, ENVIRON, frozen, kept, problem, serving

CURRENT = messages.connected(COMPANY, CONNECTION)
LEGACY = messages.status_alert(COMPANY, CONNECTION, "PendingAuth", "Linked", alert_id="alert-1")
MOST = 1_048_576
ANSWER_WITHIN_S = 1.0
TRIES = 20
"""How often a machine that does much besides may try to be that quick."""


@pytest.fixture
def caller(redis_url: str) -> FlaskClient:
    """A caller of a service with the usual settings."""
    return serving(redis_url)


@pytest.fixture(scope="session")
def steady(engine_url: str) -> FlaskClient:
    """The same for many examples in one test."""
    return serving(engine_url, lasting=True)


@pytest.fixture
def store(redis_url: str) -> Iterator[Redis]:
    """What is in Redis."""
    with Redis.from_url(redis_url) as client:
        yield client


def fingerprint(body):
    return "sha256-" + hashlib.sha256(body).hexdigest()


def depth(store):
    return sum(store.xlen(keys.inbox(shard)) for shard in range(4))


def is_empty(store):
    return store.dbsize() == 0


def is_kept(store, event_id, body, status="pending"):
    row = store.hgetall(keys.event(event_id))
    return (row.get(b"body"), row.get(b"status")) == (body, status.encode())


# Kept


@pytest.mark.parametrize("family", ["webhook", "svix"])
def test_a_signed_message_is_kept(caller, store, family):
    answer = caller.post(ADDRESS, data=CURRENT, headers=signed(CURRENT, "msg_1", family=family))

    assert (answer.status_code, answer.mimetype) == (202, "application/json")
    assert answer.json == {"event_id": "msg_1", "status": "accepted"}
    assert is_kept(store, "msg_1", CURRENT)
    assert depth(store) == 1


def test_a_legacy_alert_is_kept_under_the_hash_of_its_bytes(caller, store):
    answer = caller.post(ADDRESS, data=LEGACY, headers=authorised())

    assert answer.status_code == 202
    assert answer.json == {"event_id": fingerprint(LEGACY), "status": "accepted"}
    assert is_kept(store, fingerprint(LEGACY), LEGACY)


def test_a_migrated_rule_is_authentic_by_its_signature_and_read_by_its_body(caller, store):
    answer = caller.post(ADDRESS, data=LEGACY, headers={**authorised(), **signed(LEGACY, "msg_1")})

    assert (answer.status_code, answer.json["event_id"]) == (202, "msg_1")
    assert store.hget(keys.event("msg_1"), "source") == b"legacy"


def test_a_current_body_with_an_authorization_only_is_as_good(caller):
    answer = caller.post(ADDRESS, data=CURRENT, headers=authorised())

    assert (answer.status_code, answer.json["event_id"]) == (202, fingerprint(CURRENT))


def test_the_second_time_it_is_a_duplicate(caller, store):
    for headers in (signed(CURRENT, "msg_1"), authorised()):
        first = caller.post(ADDRESS, data=CURRENT, headers=headers)
        second = caller.post(ADDRESS, data=CURRENT, headers=headers)

        assert (first.status_code, second.status_code) == (202, 200)
        assert second.json == {"event_id": first.json["event_id"], "status": "duplicate"}
    assert depth(store) == 2


def test_the_same_message_a_thousand_times_at_once_is_kept_once(caller, store):
    headers = signed(CURRENT, "msg_1")
    together = threading.Barrier(8)

    def send(_):
        own = caller.application.test_client()
        together.wait()
        return [own.post(ADDRESS, data=CURRENT, headers=headers).status_code for _ in range(125)]

    with ThreadPoolExecutor(8) as pool:
        answers = [code for codes in pool.map(send, range(8)) for code in codes]

    assert sorted(answers) == [200] * 999 + [202]
    assert depth(store) == 1


def test_one_id_for_two_bodies_is_one_message(caller, store):
    """Standard Webhooks: the id is the identity, whatever is in the body."""
    caller.post(ADDRESS, data=CURRENT, headers=signed(CURRENT, "msg_1"))
    other = messages.created(COMPANY, CONNECTION)

    assert caller.post(ADDRESS, data=other, headers=signed(other, "msg_1")).status_code == 200
    assert is_kept(store, "msg_1", CURRENT)


def test_bodies_that_share_an_id_inside_are_different_messages(caller, store):
    """Codat's samples share one ``id`` across event types."""
    for body in (CURRENT, messages.created(COMPANY, CONNECTION)):
        assert caller.post(ADDRESS, data=body, headers=signed(body)).status_code == 202
    assert depth(store) == 2


def test_somebody_is_woken_for_the_first_message_of_a_sleeping_shard_only(caller, redis_url, monkeypatch):
    monkeypatch.setattr("processor.store.inbox.WAKE_MS", 3_600_000)  # however long the three of them take
    waker = Waker(Redis.from_url(redis_url))
    for _ in range(3):
        caller.post(ADDRESS, data=CURRENT, headers=signed(CURRENT))

    assert waker.queue_length(DRAIN) == 1


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "application/json",
        "text/plain",
        "application/x-www-form-urlencoded",
        "nonsense",
        ";;;",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "application/json; charset=utf-16",
    ],
)
def test_the_content_type_is_not_looked_at(caller, content_type):
    answer = caller.post(ADDRESS, data=CURRENT, headers=signed(CURRENT), content_type=content_type)

    assert answer.status_code == 202


def test_the_address_may_end_with_a_slash_and_carry_a_query(caller):
    for address in (ADDRESS + "/", ADDRESS + "?x=1", ADDRESS + "/?%ff"):
        assert caller.post(address, data=CURRENT, headers=signed(CURRENT)).status_code == 202


@pytest.mark.parametrize(("seconds", "status"), [(-300, 202), (300, 202), (-301, 401), (301, 401)])
def test_the_clocks_may_differ_by_five_minutes(redis_url, seconds, status):
    container = kept(for_web(load({**ENVIRON, "REDIS_URL": redis_url})))
    authenticator = Authenticator(secrets=(SECRET,), authorizations=(), clock=messages.LONG_AGO.timestamp)
    caller = create_app(dataclasses.replace(container, authenticator=authenticator)).test_client()
    moment = messages.LONG_AGO + timedelta(seconds=seconds)

    assert caller.post(ADDRESS, data=CURRENT, headers=signed(CURRENT, at=moment)).status_code == status


def test_while_a_secret_is_rotated_both_are_accepted(caller):
    old, new = signed(CURRENT, "msg_1"), signed(CURRENT, "msg_1", secret=OTHER_SECRET)
    several = old | {"webhook-signature": f"v1,AAAA {new['webhook-signature']} v2,x"}

    assert caller.post(ADDRESS, data=CURRENT, headers=new).status_code == 202
    for headers in (old, several):
        assert caller.post(ADDRESS, data=CURRENT, headers=headers).status_code == 200


# Not authentic


def without(name):
    return {key: value for key, value in signed(CURRENT).items() if key != f"webhook-{name}"}


def replaced(name, value):
    return signed(CURRENT) | {f"webhook-{name}": value}


def aged(seconds):
    return signed(CURRENT, at=datetime.now(UTC) + timedelta(seconds=seconds))


NOT_AUTHENTIC = {
    "nothing": lambda: {},
    "wrong signature": lambda: replaced("signature", "v1," + "A" * 43 + "="),
    "signature of another body": lambda: signed(CURRENT + b" "),
    "another secret": lambda: signed(CURRENT, secret="whsec_" + "QUJD" * 8),
    "another id": lambda: replaced("id", "msg_other"),
    "another timestamp": lambda: replaced("timestamp", str(int(time.time()) - 7)),
    "no id": lambda: without("id"),
    "no timestamp": lambda: without("timestamp"),
    "no signature": lambda: without("signature"),
    "empty id": lambda: replaced("id", ""),
    "empty timestamp": lambda: replaced("timestamp", ""),
    "empty signature": lambda: replaced("signature", ""),
    "too old": lambda: aged(-310),
    "too new": lambda: aged(600),
    "timestamp is no number": lambda: replaced("timestamp", "now"),
    "timestamp is NaN": lambda: replaced("timestamp", "nan"),
    "timestamp is endless": lambda: replaced("timestamp", "9" * 5000),
    "timestamp in other digits": lambda: replaced("timestamp", "\xb2\xb3"),
    "signature is no base64": lambda: replaced("signature", "v1,%%%"),
    "signature without version": lambda: replaced("signature", "A" * 44),
    "signature of an unknown version": lambda: replaced(
        "signature", signed(CURRENT)["webhook-signature"].replace("v1", "v2")
    ),
    "signature of commas": lambda: replaced("signature", ",,, ,,,"),
    "signature beyond ASCII": lambda: replaced("signature", "v1,\xff\xfe"),
    "an endless signature": lambda: replaced("signature", "v1,A " * 10_000),
    "wrong signature beside a right authorization": lambda: authorised() | replaced("signature", "v1,AAAA"),
    "half a signature beside a right authorization": lambda: authorised() | {"webhook-id": "msg_1"},
    "wrong authorization": lambda: {"Authorization": "Bearer somebody-else"},
    "empty authorization": lambda: {"Authorization": ""},
    "authorization in another case": lambda: {"Authorization": AUTHORIZATION.swapcase()},
    "a part of the authorization": lambda: {"Authorization": AUTHORIZATION[:-1]},
    "authorization and more": lambda: {"Authorization": AUTHORIZATION + "x"},
    "two authorizations in one": lambda: {"Authorization": f"{AUTHORIZATION},{AUTHORIZATION}"},
    "authorization beyond ASCII": lambda: {"Authorization": "Bearer \xff"},
}


@pytest.mark.parametrize("name", NOT_AUTHENTIC)
def test_what_is_not_authentic_is_answered_401_and_not_kept(caller, store, name):
    answer = caller.post(ADDRESS, data=CURRENT, headers=NOT_AUTHENTIC[name]())

    assert answer.status_code == 401
    assert set(problem(answer)) == {"type", "code", "title", "status", "detail"}
    assert is_empty(store)


@pytest.mark.parametrize("given", ["secrets", "authorizations"])
def test_what_is_not_configured_proves_nothing(redis_url, store, given):
    environ = {"CODAT_WEBHOOK_SECRETS": "", "CODAT_ALERT_AUTHORIZATIONS": ""}
    if given == "secrets":
        environ["CODAT_WEBHOOK_SECRETS"] = SECRET
        headers = authorised()
    else:
        environ["CODAT_ALERT_AUTHORIZATIONS"] = AUTHORIZATION
        headers = signed(CURRENT)

    assert serving(redis_url, **environ).post(ADDRESS, data=CURRENT, headers=headers).status_code == 401
    assert is_empty(store)


# Bad bodies


def deep(opening, closing="", depth=100_000):
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
def test_what_is_not_recognised_is_answered_202_and_kept_in_quarantine(caller, store, name, by):
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
    assert store.zrange(keys.events_of("quarantined"), 0, -1) == [event_id.encode()]
    assert depth(store) == 0


def test_the_places_of_missing_ids_are_kept_with_the_message(caller, store):
    body = messages.current("connection.connected", {})
    caller.post(ADDRESS, data=body, headers=signed(body, "msg_1"))

    error = store.hget(keys.event("msg_1"), "error").decode()
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
def test_what_is_odd_and_can_be_understood_is_kept_and_answered_202(caller, store, name, by):
    body = UNDERSTOOD[name]
    event_id = "msg_1" if by == "signature" else fingerprint(body)

    answer = caller.post(
        ADDRESS, data=body, headers=signed(body, "msg_1") if by == "signature" else authorised()
    )

    assert (answer.status_code, answer.json) == (202, {"event_id": event_id, "status": "accepted"})
    assert is_kept(store, event_id, body)


# Odd ids


@pytest.mark.parametrize(
    "event_id",
    ["msg 1", "msg/1", "..", ".", "\xe4", "x" * 257, "a\\b", "\xff\xfe", "%2e", "x" * 7000],
)
def test_an_id_that_cannot_be_a_name_is_replaced_by_its_hash(caller, store, event_id):
    headers = {name: value for name, value in signed(CURRENT, "plain").items() if name != "webhook-id"}
    content = b".".join((event_id.encode("latin-1"), headers["webhook-timestamp"].encode(), CURRENT))
    key = messages.base64.b64decode(SECRET.removeprefix("whsec_"))
    digest = messages.hmac.digest(key, content, "sha256")
    headers |= {
        "webhook-id": event_id,
        "webhook-signature": "v1," + messages.base64.b64encode(digest).decode(),
    }

    answers = [caller.post(ADDRESS, data=CURRENT, headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 200]
    named = answers[0].json["event_id"]
    expected = event_id if event_id == "%2e" else fingerprint(event_id.encode("latin-1"))
    assert named == expected
    assert is_kept(store, named, CURRENT)


# Size


def reading_from(stream, length):
    """The environment of a request whose body is read from ``stream``; ``None``: its length is not said."""
    if length is None:
        return {"wsgi.input": stream, "HTTP_TRANSFER_ENCODING": "chunked"}
    return {"wsgi.input": stream, "CONTENT_LENGTH": str(length)}


def padded(size):
    body = messages.current("x", {"padding": "", "more": ""})
    return body.replace(b'"padding": ""', b'"padding": "' + b"x" * (size - len(body)) + b'"')


@pytest.mark.parametrize("with_length", [True, False], ids=["with its length", "without its length"])
@pytest.mark.parametrize(("size", "status"), [(MOST, 202), (MOST + 1, 413), (10 * MOST, 413)])
def test_only_what_is_larger_than_the_limit_is_refused(caller, store, size, status, with_length):
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


def test_not_more_is_read_than_the_limit(redis_url):
    class Endless:
        taken = 0

        def read(self, size):
            assert 0 < size <= 1_001
            self.taken += size
            return b"x" * size

    stream = Endless()
    caller = serving(redis_url, MAX_BODY_BYTES="1000")

    answer = caller.post(ADDRESS, headers=authorised(), environ_overrides=reading_from(stream, None))
    assert answer.status_code == 413
    assert stream.taken == 1_001


def test_a_body_that_says_to_be_too_large_is_not_read_at_all(caller):
    class Untouchable:
        def read(self, _):
            raise AssertionError("was read")

    environ = reading_from(Untouchable(), 10 * MOST)
    assert caller.post(ADDRESS, headers=authorised(), environ_overrides=environ).status_code == 413


def test_a_sender_who_goes_away_in_the_middle_gets_no_500(caller, store):
    class Broken:
        def read(self, _):
            raise OSError("gone")

    environ = reading_from(Broken(), len(CURRENT))
    answer = caller.post(ADDRESS, headers=signed(CURRENT), environ_overrides=environ)

    assert answer.status_code == 503
    assert is_empty(store)


def test_a_body_that_is_shorter_than_it_says_is_not_authentic(caller, store):
    environ = reading_from(io.BytesIO(CURRENT[:-5]), len(CURRENT))

    answer = caller.post(ADDRESS, headers=signed(CURRENT), environ_overrides=environ)
    assert answer.status_code == 401
    assert is_empty(store)


@pytest.mark.parametrize("length", ["-5", "x", "1e3", "", "٣"])
def test_a_content_length_that_is_none_gets_no_500(caller, length):
    environ = reading_from(io.BytesIO(CURRENT), length)
    answer = caller.post(ADDRESS, headers=signed(CURRENT), environ_overrides=environ)

    assert answer.status_code in (202, 401)


# The method


@pytest.mark.parametrize("address", [ADDRESS, ADDRESS + "/"])
def test_a_put_is_as_good_as_a_post(caller, address):
    """A transformation of the client's makes Codat send PUT, which was answered 405: its messages were
    repeated for 28 hours and lost.
    """
    for body, status in ((CURRENT, "accepted"), (b"nonsense", "quarantined")):
        headers = signed(body, f"msg_{status}")
        first = caller.put(address, data=body, headers=headers)
        again = caller.post(address, data=body, headers=headers)

        assert (first.status_code, first.json["status"]) == (202, status)
        assert (again.status_code, again.json["status"]) == (200, "duplicate")
    assert caller.put(address, data=CURRENT).status_code == 401


@pytest.mark.parametrize("method", ["GET", "HEAD", "PATCH", "DELETE", "TRACE", "OPTIONS", "NONSENSE"])
def test_another_method_is_answered_405(caller, store, method):
    answer = caller.open(ADDRESS, method=method, data=CURRENT, headers=signed(CURRENT))

    assert answer.status_code == 405
    assert {"POST", "PUT"} <= {one.strip() for one in answer.headers["Allow"].split(",")}
    if method != "HEAD":
        problem(answer)
    assert is_empty(store)


# Allowlists


@pytest.mark.parametrize(
    ("by", "client_id", "status"),
    [
        ("authorization", "client-1", 202),
        ("authorization", "client-2", 202),
        ("authorization", "client-3", 403),
        ("authorization", "CLIENT-1", 202),
        ("authorization", "", 403),
        ("authorization", None, 403),
        ("signature", "client-1", 202),
        ("signature", "client-3", 403),
        ("signature", None, 202),
        ("nothing", "client-3", 401),
    ],
)
def test_only_clients_on_the_list_are_let_in(redis_url, store, by, client_id, status):
    caller = serving(redis_url, CODAT_CLIENT_IDS="client-1, client-2")
    proof = {"authorization": authorised(None), "signature": signed(CURRENT), "nothing": {}}[by]
    headers = proof if client_id is None else {**proof, "X-Codat-ClientId": client_id}

    answer = caller.post(ADDRESS, data=CURRENT, headers=headers)

    assert answer.status_code == status
    if status != 202:
        problem(answer)
        assert is_empty(store)


def test_without_a_list_any_client_is_let_in(caller):
    for client_id in (None, "", "whoever"):
        body = messages.legacy("x")
        assert caller.post(ADDRESS, data=body, headers=authorised(client_id)).status_code == 202


CODATS = "20.77.82.168,51.142.76.22,4.159.114.0/24,2001:db8::/32"


@pytest.mark.parametrize(
    ("hops", "address", "forwarded", "status"),
    [
        (0, "20.77.82.168", None, 202),
        (0, "4.159.114.108", None, 202),
        (0, "::ffff:20.77.82.168", None, 202),
        (0, "2001:db8::7", None, 202),
        (0, "20.77.82.169", None, 403),
        (0, "::1", None, 403),
        (0, "", None, 403),
        (0, "nonsense", None, 403),
        (0, "10.0.0.1", "20.77.82.168", 403),  # anybody can write that header
        (0, "20.77.82.168", "6.6.6.6", 202),
        (1, "10.0.0.1", "20.77.82.168", 202),
        (1, "10.0.0.1", "6.6.6.6, 20.77.82.168", 202),
        (1, "10.0.0.1", "20.77.82.168, 6.6.6.6", 403),
        (1, "10.0.0.1", "20.77.82.168:55", 202),  # as some proxies write it
        (1, "10.0.0.1", "[2001:db8::7]:443", 202),
        (1, "10.0.0.1", "[2001:db8::7]", 202),
        (1, "10.0.0.1", "20.77.82.169:55", 403),
        (1, "10.0.0.1", "20.77.82.168:x", 403),
        (1, "10.0.0.1", ":", 403),
        (1, "10.0.0.1", "[]:1", 403),
        (1, "10.0.0.1", "nonsense", 403),
        (1, "10.0.0.1", "", 403),
        (1, "10.0.0.1", None, 403),
        (2, "10.0.0.1", "20.77.82.168, 10.0.0.2", 202),
        (2, "10.0.0.1", "20.77.82.168, 6.6.6.6, 10.0.0.2", 403),
        (2, "10.0.0.1", "20.77.82.168", 403),  # it did not come through both
    ],
)
def test_only_addresses_on_the_list_are_let_in(redis_url, store, hops, address, forwarded, status):
    caller = serving(redis_url, CODAT_SENDER_IPS=CODATS, TRUSTED_PROXIES=str(hops))
    headers = signed(CURRENT) | ({} if forwarded is None else {"X-Forwarded-For": forwarded})

    answer = caller.post(ADDRESS, data=CURRENT, headers=headers, environ_base={"REMOTE_ADDR": address})

    assert answer.status_code == status
    if status == 403:
        problem(answer)
        assert is_empty(store)


def test_an_address_on_the_list_proves_nothing(redis_url, store):
    caller = serving(redis_url, CODAT_SENDER_IPS=CODATS)

    answer = caller.post(ADDRESS, data=CURRENT, environ_base={"REMOTE_ADDR": "20.77.82.168"})

    assert answer.status_code == 401
    assert is_empty(store)


# Redis


def is_turned_away_in_time(send):
    """Sends in vain; whether an answer came in time, as far as some tries tell."""

    def took_s():
        began = time.monotonic()
        answers = send()
        took = time.monotonic() - began
        for answer in answers:
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) > 0
            problem(answer)
        return took

    return any(took_s() < ANSWER_WITHIN_S for _ in range(TRIES))


def is_accepted(caller):
    """Whether a new message is kept now."""
    return caller.post(ADDRESS, data=CURRENT, headers=signed(CURRENT)).status_code == 202


def test_without_redis_the_answer_is_503_at_once_and_afterwards_it_works_again(data_dir):
    """Stopped and started again, without a restart of ours."""
    with Engine(data_dir) as engine:
        caller = serving(engine.url, hurried=True)
        until(lambda: is_accepted(caller))
        engine.stop()
        for body in (CURRENT, b"nonsense"):
            assert is_turned_away_in_time(
                lambda body=body: [caller.post(ADDRESS, data=body, headers=signed(body))]
            )

        engine.start()
        until(lambda: is_accepted(caller))


@pytest.mark.parametrize("warm", [True, False], ids=["connected before", "not connected yet"])
def test_while_redis_hangs_the_answer_is_503_within_a_second_and_afterwards_it_works_again(data_dir, warm):
    with Engine(data_dir) as engine:
        caller = serving(engine.url, hurried=True)
        if warm:
            until(lambda: is_accepted(caller))
        headers = signed(CURRENT, "msg_1")
        with frozen(engine.folder):
            assert is_turned_away_in_time(lambda: [caller.post(ADDRESS, data=CURRENT, headers=headers)])
            assert is_turned_away_in_time(lambda: [caller.post(ADDRESS, data=b"?", headers=signed(b"?"))])

        until(lambda: caller.post(ADDRESS, data=CURRENT, headers=headers).status_code in (200, 202))
        with Redis.from_url(engine.url) as store:
            entries = [entry for shard in range(4) for entry in store.xrange(keys.inbox(shard))]
        assert [fields[b"id"] for _, fields in entries].count(b"msg_1") == 1


def test_many_callers_at_once_are_all_answered_within_a_second_while_redis_hangs(data_dir):
    with Engine(data_dir) as engine, ThreadPoolExecutor(8) as pool:
        caller = serving(engine.url, hurried=True)

        def send(_):
            own = caller.application.test_client()
            return own.post(ADDRESS, data=CURRENT, headers=signed(CURRENT))

        with frozen(engine.folder):
            assert is_turned_away_in_time(lambda: list(pool.map(send, range(8))))


def test_a_bell_that_hangs_does_not_keep_codat_waiting(redis_url, data_dir, store):
    """The message is kept; who is to be woken for it is the clock's business then."""
    container = kept(for_web(load({**ENVIRON, "REDIS_URL": redis_url})))
    with Engine(data_dir) as other:
        waker = Waker(connect(other.url, timeout_s=WEB_TIMEOUT_S))
        caller = create_app(dataclasses.replace(container, waker=waker)).test_client()

        def took_s(event_id):
            for shard in range(4):
                store.delete(keys.wake(shard))  # somebody has to be woken
            began = time.monotonic()
            answer = caller.post(ADDRESS, data=CURRENT, headers=signed(CURRENT, event_id))
            took = time.monotonic() - began
            assert answer.status_code == 202
            return took

        with frozen(other.folder):
            assert any(took_s(f"msg_{number}") < ANSWER_WITHIN_S for number in range(TRIES))

    assert is_kept(store, "msg_0", CURRENT)


def test_while_redis_is_full_the_answer_is_503_and_nothing_is_kept(caller, store):
    assert caller.post(ADDRESS, data=CURRENT, headers=signed(CURRENT)).status_code == 202
    before = store.dbsize()
    store.config_set("maxmemory", "1")
    try:
        for body in (CURRENT, b"nonsense"):
            answer = caller.post(ADDRESS, data=body, headers=signed(body, f"msg_{len(body)}"))
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) > 0
        assert store.dbsize() == before
    finally:
        store.config_set("maxmemory", "0")
    assert caller.post(ADDRESS, data=CURRENT, headers=signed(CURRENT)).status_code == 202


def test_what_goes_wrong_with_us_is_503_and_not_500(redis_url):
    """A legacy alert never comes back after a 500."""
    container = kept(for_web(load({**ENVIRON, "REDIS_URL": redis_url})))

    def broken():
        raise RuntimeError("a fault of ours")

    caller = create_app(dataclasses.replace(container, clock=broken)).test_client()

    answer = caller.post(ADDRESS, data=LEGACY, headers=authorised())

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "fault of ours" not in problem(answer)["detail"]


# Whatever comes


@settings(max_examples=examples(300))
@given(headers=st.lists(st.tuples(HEADER_NAMES, HEADER_VALUES), max_size=6), body=BODIES)
def test_whatever_headers_come_the_answer_is_one_of_the_table(steady, headers, body):
    answer = steady.post(ADDRESS, data=body, headers=headers)

    assert answer.status_code in (200, 202, 401)
    if answer.status_code >= 400:
        problem(answer)


@settings(max_examples=examples(200))
@given(body=BODIES, legacy=st.booleans())
def test_whatever_is_authentic_is_kept(engine_url, steady, body, legacy):
    store = Redis.from_url(engine_url)
    headers = authorised() if legacy else signed(body)
    event_id = fingerprint(body) if legacy else headers["webhook-id"]

    answer = steady.post(ADDRESS, data=body, headers=headers)

    assert answer.status_code in ((200, 202) if legacy else (202,))
    assert answer.json["event_id"] == event_id
    statuses = {"accepted": ("pending",), "quarantined": ("quarantined",)}
    possible = statuses.get(answer.json["status"], ("pending", "quarantined"))
    assert any(is_kept(store, event_id, body, status) for status in possible)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a" * 300,
        "..",
        "[",
        "[::1",
        "[x]",
        "ü",
        "a b",
        "localhost:99999",
        "x" * 64 + ".de",
        "-a.de",
        "a/b",
        "127.0.0.1:80",
        "[::1]:80",
        "example.com.",
    ],
)
def test_a_message_is_kept_whatever_host_it_was_sent_to(caller, host):
    answer = caller.post(ADDRESS, data=CURRENT, headers={**signed(CURRENT), "Host": host})

    assert answer.status_code == 202


def test_neither_bodies_nor_secrets_are_logged(caller, caplog):
    caplog.set_level("DEBUG")
    marked = messages.other("nobody-may-read-this-type", company_id="nobody-may-read-this")
    for body in (marked, marked[:-1], b"nobody-may-read-this"):
        for headers in (signed(body), authorised(), {"Authorization": AUTHORIZATION + "x"}, {}):
            caller.post(ADDRESS, data=body, headers=headers)

    written = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    assert "nobody-may-read-this" not in written
    for secret in (SECRET, OTHER_SECRET, AUTHORIZATION):
        assert secret not in written


@pytest.mark.parametrize(("client_id", "foreign"), [("CLIENT-9", True), ("client-1", False), (None, False)])
def test_the_company_of_a_client_that_our_key_cannot_see_is_known_as_such(
    redis_url, store, client_id, foreign
):
    """News of companies that Codat does not show to our key is not told, unless their client is named."""
    caller = serving(redis_url, CODAT_FOREIGN_CLIENT_IDS="client-9")
    headers = signed(CURRENT) if client_id is None else {**signed(CURRENT), "X-Codat-ClientId": client_id}

    assert caller.post(ADDRESS, data=CURRENT, headers=headers).status_code == 202

    assert bool(store.exists(keys.foreign())) is foreign
