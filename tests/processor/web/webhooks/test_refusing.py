"""Messages without authentication, or from senders that are not allowed, are refused and not kept."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from tests.processor.web.webhooks.messages_sent import CURRENT, is_empty
from tests.support import messages
from tests.support.anything import BODIES, HEADER_NAMES, HEADER_VALUES
from tests.support.effort import examples
from tests.support.messages import AUTHORIZATION, OTHER_SECRET, SECRET, authorised, signed
from tests.support.serving import ADDRESS, problem, serving


def without(name: str) -> Any:
    return {key: value for key, value in signed(CURRENT).items() if key != f"webhook-{name}"}


def replaced(name: str, value: Any) -> Any:
    return signed(CURRENT) | {f"webhook-{name}": value}


def aged(seconds: Any) -> Any:
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
def test_what_is_not_authentic_is_answered_401_and_not_kept(
    caller: FlaskClient, store: Redis, name: str
) -> None:
    answer = caller.post(ADDRESS, data=CURRENT, headers=NOT_AUTHENTIC[name]())

    assert answer.status_code == 401
    assert set(problem(answer)) == {"type", "code", "title", "status", "detail"}
    assert is_empty(store)


@pytest.mark.parametrize("given", ["secrets", "authorizations"])
def test_what_is_not_configured_proves_nothing(redis_url: str, store: Redis, given: str) -> None:
    environ: dict[str, Any] = {"CODAT_WEBHOOK_SECRETS": "", "CODAT_ALERT_AUTHORIZATIONS": ""}
    if given == "secrets":
        environ["CODAT_WEBHOOK_SECRETS"] = SECRET
        headers = authorised()
    else:
        environ["CODAT_ALERT_AUTHORIZATIONS"] = AUTHORIZATION
        headers = signed(CURRENT)

    assert serving(redis_url, **environ).post(ADDRESS, data=CURRENT, headers=headers).status_code == 401
    assert is_empty(store)


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
def test_only_clients_on_the_list_are_let_in(
    redis_url: str, store: Redis, by: str, client_id: str | None, status: int
) -> None:
    caller = serving(redis_url, CODAT_CLIENT_IDS="client-1, client-2")
    proof = {"authorization": authorised(None), "signature": signed(CURRENT), "nothing": {}}[by]
    headers = proof if client_id is None else {**proof, "X-Codat-ClientId": client_id}

    answer = caller.post(ADDRESS, data=CURRENT, headers=headers)

    assert answer.status_code == status
    if status != 202:
        problem(answer)
        assert is_empty(store)


def test_without_a_list_any_client_is_let_in(caller: FlaskClient) -> None:
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
def test_only_addresses_on_the_list_are_let_in(
    redis_url: str, store: Redis, hops: int, address: str, forwarded: str | None, status: int
) -> None:
    caller = serving(redis_url, CODAT_SENDER_IPS=CODATS, TRUSTED_PROXIES=str(hops))
    headers = signed(CURRENT) | ({} if forwarded is None else {"X-Forwarded-For": forwarded})

    answer = caller.post(ADDRESS, data=CURRENT, headers=headers, environ_base={"REMOTE_ADDR": address})

    assert answer.status_code == status
    if status == 403:
        problem(answer)
        assert is_empty(store)


def test_an_address_on_the_list_proves_nothing(redis_url: str, store: Redis) -> None:
    caller = serving(redis_url, CODAT_SENDER_IPS=CODATS)

    answer = caller.post(ADDRESS, data=CURRENT, environ_base={"REMOTE_ADDR": "20.77.82.168"})

    assert answer.status_code == 401
    assert is_empty(store)


@settings(max_examples=examples(300))
@given(headers=st.lists(st.tuples(HEADER_NAMES, HEADER_VALUES), max_size=6), body=BODIES)
def test_whatever_headers_come_the_answer_is_one_of_the_table(
    steady: FlaskClient, headers: Any, body: Any
) -> None:
    answer = steady.post(ADDRESS, data=body, headers=headers)

    assert answer.status_code in (200, 202, 401)
    if answer.status_code >= 400:
        problem(answer)


def test_neither_bodies_nor_secrets_are_logged(caller: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    marked = messages.other("nobody-may-read-this-type", company_id="nobody-may-read-this")
    for body in (marked, marked[:-1], b"nobody-may-read-this"):
        for headers in (signed(body), authorised(), {"Authorization": AUTHORIZATION + "x"}, {}):
            caller.post(ADDRESS, data=body, headers=headers)

    written = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    assert "nobody-may-read-this" not in written
    for secret in (SECRET, OTHER_SECRET, AUTHORIZATION):
        assert secret not in written
