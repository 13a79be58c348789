"""Authentic messages of both generations are kept once, whatever their form."""

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from processor.alerts.signature import Authenticator
from processor.container import for_web
from processor.settings.loading import load
from processor.store import keys
from processor.store.waker import DRAIN, Waker
from tests.processor.web.webhooks.messages_sent import CURRENT, LEGACY, depth, fingerprint, is_empty, is_kept
from tests.support import cells, messages
from tests.support.anything import BODIES, COMPANY, CONNECTION
from tests.support.applications import lent_app
from tests.support.effort import examples
from tests.support.messages import OTHER_SECRET, SECRET, authorised, signed
from tests.support.serving import ADDRESS, ENVIRON, kept, problem, serving


@pytest.mark.parametrize("family", ["webhook", "svix"])
def test_a_signed_message_is_kept(caller: FlaskClient, store: Redis, family: str) -> None:
    answer = caller.post(ADDRESS, data=CURRENT, headers=signed(CURRENT, "msg_1", family=family))

    assert (answer.status_code, answer.mimetype) == (202, "application/json")
    assert answer.json == {"event_id": "msg_1", "status": "accepted"}
    assert is_kept(store, "msg_1", CURRENT)
    assert depth(store) == 1


def test_a_legacy_alert_is_kept_under_the_hash_of_its_bytes(caller: FlaskClient, store: Redis) -> None:
    answer = caller.post(ADDRESS, data=LEGACY, headers=authorised())

    assert answer.status_code == 202
    assert answer.json == {"event_id": fingerprint(LEGACY), "status": "accepted"}
    assert is_kept(store, fingerprint(LEGACY), LEGACY)


def test_a_migrated_rule_is_authentic_by_its_signature_and_read_by_its_body(
    caller: FlaskClient, store: Redis
) -> None:
    answer = caller.post(ADDRESS, data=LEGACY, headers={**authorised(), **signed(LEGACY, "msg_1")})

    assert (answer.status_code, answer.json["event_id"]) == (202, "msg_1")
    assert cells.message(store, "msg_1")["source"] == "legacy"


def test_a_current_body_with_an_authorization_only_is_as_good(caller: FlaskClient) -> None:
    answer = caller.post(ADDRESS, data=CURRENT, headers=authorised())

    assert (answer.status_code, answer.json["event_id"]) == (202, fingerprint(CURRENT))


def test_the_second_time_it_is_a_duplicate(caller: FlaskClient, store: Redis) -> None:
    for headers in (signed(CURRENT, "msg_1"), authorised()):
        first = caller.post(ADDRESS, data=CURRENT, headers=headers)
        second = caller.post(ADDRESS, data=CURRENT, headers=headers)

        assert (first.status_code, second.status_code) == (202, 200)
        assert second.json == {"event_id": first.json["event_id"], "status": "duplicate"}
    assert depth(store) == 2


def test_the_same_message_a_thousand_times_at_once_is_kept_once(caller: FlaskClient, store: Redis) -> None:
    headers = signed(CURRENT, "msg_1")
    together = threading.Barrier(8)

    def send(_: Any) -> Any:
        own = caller.application.test_client()
        together.wait()
        return [own.post(ADDRESS, data=CURRENT, headers=headers).status_code for _ in range(125)]

    with ThreadPoolExecutor(8) as pool:
        answers = [code for codes in pool.map(send, range(8)) for code in codes]

    assert sorted(answers) == [200] * 999 + [202]
    assert depth(store) == 1


def test_one_id_for_two_bodies_is_one_message(caller: FlaskClient, store: Redis) -> None:
    """Standard Webhooks: the id is the identity, whatever is in the body."""
    caller.post(ADDRESS, data=CURRENT, headers=signed(CURRENT, "msg_1"))
    other = messages.created(COMPANY, CONNECTION)

    assert caller.post(ADDRESS, data=other, headers=signed(other, "msg_1")).status_code == 200
    assert is_kept(store, "msg_1", CURRENT)


def test_bodies_that_share_an_id_inside_are_different_messages(caller: FlaskClient, store: Redis) -> None:
    """Codat's samples share one ``id`` across event types."""
    for body in (CURRENT, messages.created(COMPANY, CONNECTION)):
        assert caller.post(ADDRESS, data=body, headers=signed(body)).status_code == 202
    assert depth(store) == 2


def test_somebody_is_woken_for_the_first_message_of_a_sleeping_cell_only(
    caller: FlaskClient, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
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
def test_the_content_type_is_not_looked_at(caller: FlaskClient, content_type: str | None) -> None:
    answer = caller.post(ADDRESS, data=CURRENT, headers=signed(CURRENT), content_type=content_type)

    assert answer.status_code == 202


def test_the_address_may_end_with_a_slash_and_carry_a_query(caller: FlaskClient) -> None:
    for address in (ADDRESS + "/", ADDRESS + "?x=1", ADDRESS + "/?%ff"):
        assert caller.post(address, data=CURRENT, headers=signed(CURRENT)).status_code == 202


@pytest.mark.parametrize(("seconds", "status"), [(-300, 202), (300, 202), (-301, 401), (301, 401)])
def test_the_clocks_may_differ_by_five_minutes(redis_url: str, seconds: int, status: int) -> None:
    container = kept(for_web(load({**ENVIRON, "REDIS_URL": redis_url})))
    authenticator = Authenticator(secrets=(SECRET,), authorizations=(), clock=messages.LONG_AGO.timestamp)
    caller = lent_app(dataclasses.replace(container, authenticator=authenticator)).test_client()
    moment = messages.LONG_AGO + timedelta(seconds=seconds)

    assert caller.post(ADDRESS, data=CURRENT, headers=signed(CURRENT, at=moment)).status_code == status


def test_while_a_secret_is_rotated_both_are_accepted(caller: FlaskClient) -> None:
    old, new = signed(CURRENT, "msg_1"), signed(CURRENT, "msg_1", secret=OTHER_SECRET)
    several = old | {"webhook-signature": f"v1,AAAA {new['webhook-signature']} v2,x"}

    assert caller.post(ADDRESS, data=CURRENT, headers=new).status_code == 202
    for headers in (old, several):
        assert caller.post(ADDRESS, data=CURRENT, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "event_id",
    ["msg 1", "msg/1", "..", ".", "\xe4", "x" * 257, "a\\b", "\xff\xfe", "%2e", "x" * 7000],
)
def test_an_id_that_cannot_be_a_name_is_replaced_by_its_hash(
    caller: FlaskClient, store: Redis, event_id: str
) -> None:
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


@pytest.mark.parametrize("address", [ADDRESS, ADDRESS + "/"])
def test_a_put_is_as_good_as_a_post(caller: FlaskClient, address: str) -> None:
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
def test_another_method_is_answered_405(caller: FlaskClient, store: Redis, method: str) -> None:
    answer = caller.open(ADDRESS, method=method, data=CURRENT, headers=signed(CURRENT))

    assert answer.status_code == 405
    assert {"POST", "PUT"} <= {header.strip() for header in answer.headers["Allow"].split(",")}
    if method != "HEAD":
        problem(answer)
    assert is_empty(store)


@settings(max_examples=examples(200))
@given(body=BODIES, legacy=st.booleans())
def test_whatever_is_authentic_is_kept(engine_url: str, steady: FlaskClient, body: Any, legacy: Any) -> None:
    store = Redis.from_url(engine_url)
    headers = authorised() if legacy else signed(body)
    event_id = fingerprint(body) if legacy else headers["webhook-id"]

    answer = steady.post(ADDRESS, data=body, headers=headers)

    assert answer.status_code in ((200, 202) if legacy else (202,))
    assert answer.json["event_id"] == event_id
    statuses: dict[str, tuple[str, ...]] = {"accepted": ("pending",), "quarantined": ("quarantined",)}
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
def test_a_message_is_kept_whatever_host_it_was_sent_to(caller: FlaskClient, host: str) -> None:
    answer = caller.post(ADDRESS, data=CURRENT, headers={**signed(CURRENT), "Host": host})

    assert answer.status_code == 202


@pytest.mark.parametrize(("client_id", "foreign"), [("CLIENT-9", True), ("client-1", False), (None, False)])
def test_the_company_of_a_client_that_our_key_cannot_see_is_known_as_such(
    redis_url: str, store: Redis, client_id: str | None, foreign: bool
) -> None:
    """News of companies that Codat does not show to our key is not told, unless their client is named."""
    caller = serving(redis_url, CODAT_FOREIGN_CLIENT_IDS="client-9")
    headers = signed(CURRENT) if client_id is None else {**signed(CURRENT), "X-Codat-ClientId": client_id}

    assert caller.post(ADDRESS, data=CURRENT, headers=headers).status_code == 202

    assert bool(any(store.exists(keys.foreign(cell)) for cell in keys.cells())) is foreign
