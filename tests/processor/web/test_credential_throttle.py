"""Guessing a password, a key or a link is slow, and costs those who know it nothing."""

import base64
from collections import Counter
from typing import Any

import pytest
from flask.testing import FlaskClient
from redis import Redis

from processor.store import keys
from processor.web.credential_throttle import MAX_REFUSALS, WINDOW_S, Credential
from tests.support import messages
from tests.support.messages import signed
from tests.support.ports import own_port
from tests.support.serving import ADDRESS, serving

KEY = "a-key-of-the-api-0123456789"
PASSWORD = "a long password of the operators"
STRANGER, OTHER = "192.0.2.7", "192.0.2.8"
PLACES = {Credential.OPERATOR: "/ops/events", Credential.API_KEY: "/v1/stats", Credential.LINK: "/connect/{}"}


def credentials(kind: Credential, value: str) -> dict[str, str]:
    if kind is Credential.OPERATOR:
        return {"Authorization": "Basic " + base64.b64encode(f"operator:{value}".encode()).decode()}
    return {"Authorization": f"Bearer {value}"} if kind is Credential.API_KEY else {}


RIGHT = {Credential.OPERATOR: PASSWORD, Credential.API_KEY: KEY}


def ask(caller: FlaskClient, kind: Credential, value: str, address: str = STRANGER) -> Any:
    return caller.get(
        PLACES[kind].format(value),
        headers=credentials(kind, value),
        environ_overrides={"REMOTE_ADDR": address},
    )


@pytest.fixture
def caller(redis_url: str) -> FlaskClient:
    """Somebody at the door."""
    return serving(redis_url, API_KEYS=KEY, OPERATOR_PASSWORD=PASSWORD)


@pytest.mark.parametrize("kind", Credential)
def test_after_some_wrong_credentials_an_address_has_to_wait(caller: FlaskClient, kind: Credential) -> None:
    """Nothing slowed guessing: 120 passwords of the operators a second, 169 keys of the API."""
    answers = [ask(caller, kind, f"wrong-{number}") for number in range(MAX_REFUSALS + 5)]
    refused = Counter(answer.status_code for answer in answers)
    assert refused == {(404 if kind is Credential.LINK else 401): MAX_REFUSALS, 429: 5}
    assert 0 < int(answers[-1].headers["Retry-After"]) <= WINDOW_S
    assert {answer.status_code for answer in answers[-5:]} == {429}


def test_an_operator_who_has_to_wait_reads_so_and_for_how_long(caller: FlaskClient) -> None:
    """The page said "Log in to see this … your browser asks for both" while no password was looked at."""
    assert "Log in to see this" in ask(caller, Credential.OPERATOR, "wrong").text
    for number in range(MAX_REFUSALS):
        answer = ask(caller, Credential.OPERATOR, f"wrong-{number}")
    assert answer.status_code == 429
    assert "Too many wrong passwords" in answer.text
    assert f"Wait {answer.headers['Retry-After']} seconds" in answer.text
    assert "Log in to see this" not in answer.text


@pytest.mark.parametrize("kind", RIGHT)
def test_then_a_right_one_has_to_wait_too_and_other_addresses_and_kinds_do_not(
    caller: FlaskClient, redis_url: str, kind: Credential
) -> None:
    """One who is told at once whether the next guess was right is not slowed."""
    for number in range(MAX_REFUSALS):
        ask(caller, kind, f"wrong-{number}")
    another_process = serving(redis_url, API_KEYS=KEY, OPERATOR_PASSWORD=PASSWORD)
    assert ask(another_process, kind, RIGHT[kind]).status_code == 429
    assert ask(caller, kind, RIGHT[kind], OTHER).status_code == 200
    (other,) = set(RIGHT) - {kind}
    assert ask(caller, other, RIGHT[other]).status_code == 200


@pytest.mark.parametrize("kind", RIGHT)
def test_those_who_know_it_are_never_counted(caller: FlaskClient, redis_url: str, kind: Credential) -> None:
    """A caller of the API that is busy is no guesser; nor is a browser that asks what to send."""
    for _ in range(MAX_REFUSALS + 5):
        assert ask(caller, kind, RIGHT[kind]).status_code == 200
        anonymous = caller.get(PLACES[kind], environ_overrides={"REMOTE_ADDR": STRANGER})
        assert anonymous.status_code == 401
    with Redis.from_url(redis_url) as client:
        assert not client.exists(keys.attempts(kind, STRANGER))


def test_the_count_is_forgotten(caller: FlaskClient, redis_url: str) -> None:
    for number in range(MAX_REFUSALS + 1):
        ask(caller, Credential.API_KEY, f"wrong-{number}")
    with Redis.from_url(redis_url) as client:
        name = keys.attempts(Credential.API_KEY, STRANGER)
        assert 0 < client.ttl(name) <= WINDOW_S
        client.delete(name)  # as its lifetime does
    assert ask(caller, Credential.API_KEY, KEY).status_code == 200


def test_of_ipv6_a_subscribers_whole_network_is_one_address(caller: FlaskClient) -> None:
    """Each has 2^64 addresses, and could send each guess from another."""
    for number in range(MAX_REFUSALS):
        ask(caller, Credential.API_KEY, f"wrong-{number}", f"2001:db8:1:2::{number + 1:x}")
    assert ask(caller, Credential.API_KEY, KEY, "2001:db8:1:2:ffff::1").status_code == 429
    assert ask(caller, Credential.API_KEY, KEY, "2001:db8:1:3::1").status_code == 200


def test_behind_a_proxy_the_caller_is_counted_and_not_the_proxy(redis_url: str) -> None:
    caller = serving(redis_url, API_KEYS=KEY, TRUSTED_PROXIES="1")

    def status(key: str, address: str) -> int:
        headers = {"Authorization": f"Bearer {key}", "X-Forwarded-For": address}
        return caller.get("/v1/stats", headers=headers).status_code

    assert [status("wrong", STRANGER) for _ in range(MAX_REFUSALS + 1)][-1] == 429
    assert status(KEY, OTHER) == 200


def test_messages_do_not_pass_the_limiter(caller: FlaskClient) -> None:
    """A 429 would lose a legacy alert for good, and a stranger could bring it about."""
    for _ in range(MAX_REFUSALS + 5):
        assert caller.post(ADDRESS, data=b"{}", headers={"Authorization": "Bearer wrong"}).status_code == 401
    body = messages.other()
    assert caller.post(ADDRESS, data=body, headers=signed(body)).status_code == 202


def test_without_redis_nobody_is_kept_out_and_nothing_is_a_fault_of_ours() -> None:
    nobody = f"redis://127.0.0.1:{own_port()}"
    caller = serving(nobody, hurried=True, API_KEYS=KEY, OPERATOR_PASSWORD=PASSWORD)
    for _ in range(MAX_REFUSALS + 1):
        assert ask(caller, Credential.API_KEY, "wrong").status_code == 401
    assert ask(caller, Credential.API_KEY, KEY).status_code == 503
