"""Sign-in by an OpenID Connect provider."""

import time
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import certifi
import pytest
from flask.testing import FlaskClient
from joserfc.jwk import RSAKey
from werkzeug.test import TestResponse

from processor.web.ops import sso
from tests.processor.web.ops.operating import SEAL
from tests.processor.web.v1.filling import Filling
from tests.support.oidc_issuer import CLIENT_ID, CLIENT_SECRET, Issuer


@pytest.fixture
def issuer():
    sso._known_metadata.clear()  # of another test's provider on the same port
    issuer = Issuer()
    yield issuer
    issuer.close()


@pytest.fixture
def service(redis_url: str, issuer: Issuer):
    filling = Filling(
        redis_url,
        OIDC_ISSUER=issuer.url,
        OIDC_CLIENT_ID=CLIENT_ID,
        OIDC_CLIENT_SECRET=CLIENT_SECRET,
        OIDC_GROUPS="readers=viewer,ops=operator,chiefs=admin",
    )
    yield filling
    filling.close()


def seal_of(client: FlaskClient) -> str:
    """The seal of the sign-in page's forms."""
    seal = SEAL.search(client.get("/ops/sign-in").text)
    assert seal is not None
    return seal[1]


def leave(client: FlaskClient) -> str:
    """The address at the provider to which the sign-in page leads."""
    answer = client.post("/ops/sign-in/sso", data={"seal": seal_of(client), "next": "/ops/events"})
    assert answer.status_code == 303
    return answer.headers["Location"]


def come_back(client: FlaskClient, brought: dict[str, str]) -> TestResponse:
    return client.get("/ops/sign-in/callback", query_string=brought)


def test_a_member_of_a_group_gets_its_role(service: Filling, issuer: Issuer) -> None:
    client = service.app.test_client()
    address = leave(client)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == "http://localhost/ops/sign-in/callback"
    assert CLIENT_SECRET not in address
    brought = issuer.authorize(address)
    answer = come_back(client, brought)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/ops/events")
    assert "<bdi>anna@bank.example</bdi>, operator." in client.get("/ops").text
    assert come_back(client, brought).status_code == 401  # the cookie is gone with its use
    (session,) = service.container.operator_sessions.all()
    assert session.method == "oidc"


def test_the_trusted_certificates_are_read_once(
    service: Filling, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every request to the provider read them all again, up to four times a sign-in."""
    sso._trusted_authorities()
    readings: list[None] = []
    where = certifi.where
    monkeypatch.setattr(certifi, "where", lambda: (readings.append(None), where())[1])
    client = service.app.test_client()
    assert come_back(client, issuer.authorize(leave(client))).status_code == 303
    assert readings == []


@pytest.mark.parametrize(
    ("groups", "role"), [(["readers"], "viewer"), (["x", "readers", "chiefs"], "admin"), ("ops", "operator")]
)
def test_the_highest_group_counts(service: Filling, issuer: Issuer, groups: Any, role: str) -> None:
    issuer.claims["groups"] = groups
    client = service.app.test_client()
    assert come_back(client, issuer.authorize(leave(client))).status_code == 303
    assert f"</bdi>, {role}." in client.get("/ops").text


@pytest.mark.parametrize("groups", [[], ["guests"], None, ["OPS"], "readers,ops"])
def test_who_is_in_no_group_gets_nothing(service: Filling, issuer: Issuer, groups: Any) -> None:
    issuer.claims["groups"] = groups
    client = service.app.test_client()
    assert come_back(client, issuer.authorize(leave(client))).status_code == 403
    assert service.container.operator_sessions.all() == []


LIES: dict[str, dict[str, Any]] = {
    "nonce": {"nonce": "another"},
    "issuer": {"iss": "https://evil.example"},
    "audience": {"aud": "another-client"},
    "several audiences": {"aud": [CLIENT_ID, "another-client"]},
    "expired": {"exp": int(time.time()) - 3_600},
    "no subject": {"sub": None},
}


@pytest.mark.parametrize("lie", [*LIES, "signature", "state", "no state", "other browser", "code", "refused"])
def test_a_lie_opens_no_session(service: Filling, issuer: Issuer, lie: str) -> None:
    issuer.claims.update(LIES.get(lie, {}))
    if lie == "signature":
        issuer.key = RSAKey.generate_key(2048)
    client = service.app.test_client()
    brought = issuer.authorize(leave(client))
    if lie == "state":
        brought["state"] = "another"
    elif lie == "no state":
        del brought["state"]
    elif lie == "code":
        brought["code"] = "guess"
    elif lie == "refused":
        brought = {"error": "access_denied", "state": brought["state"]}
    elif lie == "other browser":
        client = service.app.test_client()
    answer = come_back(client, brought)
    assert answer.status_code == 401
    assert service.container.operator_sessions.all() == []
    assert client.get("/ops", headers={"Accept": "application/json"}).status_code == 401


BROKEN = {
    "none": None,
    "deep": "[" * 3_000,
    "lone surrogate": '["\\ud800", "n", "v", "/ops"]',
    "no state": '["", "n", "v", "/ops"]',
    "no list": "7",
}


@pytest.mark.parametrize("cookie", BROKEN.values(), ids=list(BROKEN))
def test_a_broken_cookie_is_refused_and_counted(service: Filling, cookie: str | None) -> None:
    client = service.app.test_client()
    codes = []
    for _ in range(11):
        if cookie is not None:
            # As a browser sends it: a quoted value with octal escapes.
            client.set_cookie("sign-in", cookie, path="/ops")
        answer = client.get("/ops/sign-in/callback?state=&code=x", headers={"Accept": "text/html"})
        codes.append(answer.status_code)
        assert "callback" not in answer.text
    assert codes == [401] * 10 + [429]


def test_a_provider_that_is_away_is_an_error_in_words(service: Filling, issuer: Issuer) -> None:
    client = service.app.test_client()
    brought = issuer.authorize(leave(client))
    issuer.close()
    answer = come_back(client, brought)
    assert answer.status_code == 502
    assert "The sign-in provider could not be used" in answer.text


def test_a_provider_that_is_another_is_refused_and_asked_ten_times_a_minute(
    service: Filling, issuer: Issuer
) -> None:
    asked = []
    issuer.metadata = lambda: asked.append(1) or {"issuer": "https://evil.example"}
    client = service.app.test_client()
    seal = SEAL.search(client.get("/ops/sign-in").text)[1]
    answers = [client.post("/ops/sign-in/sso", data={"seal": seal}).status_code for _ in range(12)]
    assert answers == [502] * 10 + [429] * 2
    assert len(asked) == 10


def test_the_metadata_is_read_once_and_through_no_proxy(
    service: Filling, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    asked, metadata = [], issuer.metadata()
    issuer.metadata = lambda: asked.append(1) or metadata
    for _ in range(2):
        client = service.app.test_client()
        assert come_back(client, issuer.authorize(leave(client))).status_code == 303
    assert len(asked) == 1


def test_of_a_long_answer_the_beginning_is_read(service: Filling, issuer: Issuer) -> None:
    """All of it was held in memory before it was found to be too long."""
    issuer.padding = 128 * 1024 * 1024
    client = service.app.test_client()
    answer = client.post("/ops/sign-in/sso", data={"seal": seal_of(client)})
    assert answer.status_code == 502
    assert issuer.padded < issuer.padding / 2


def test_an_address_without_a_state_fits_no_cookie(service: Filling, issuer: Issuer) -> None:
    client = service.app.test_client()
    brought = issuer.authorize(leave(client))
    cookie = client.get_cookie("sign-in", path="/ops")
    assert cookie is not None
    pending = replace(sso.PendingSignIn.load(cookie.decoded_value), state="")
    client.set_cookie("sign-in", pending.dump(), path="/ops")
    assert come_back(client, brought | {"state": ""}).status_code == 401


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"email_verified": False}, "0815"),
        ({"email_verified": "true", "preferred_username": "Ben Böhm"}, "Ben-B-hm"),
        ({"email": "x" * 70}, "x" * 64),
        ({"email": "local"}, "0815"),
        ({"email": "operator", "preferred_username": "anna"}, "anna"),
        ({"email": None, "sub": "local"}, None),
    ],
)
def test_the_name_is_the_providers_and_nobody_elses(
    redis_url: str, issuer: Issuer, claims: dict[str, Any], name: str | None
) -> None:
    issuer.claims.update(claims)
    filling = Filling(
        redis_url,
        OIDC_ISSUER=issuer.url,
        OIDC_CLIENT_ID=CLIENT_ID,
        OIDC_CLIENT_SECRET=CLIENT_SECRET,
        OIDC_GROUPS="ops=operator",
        OPERATORS="local:admin:pbkdf2:sha256:1$salt$00",
    )
    client = filling.app.test_client()
    answer = come_back(client, issuer.authorize(leave(client)))
    assert answer.status_code == (401 if name is None else 303)
    assert [session.name for session in filling.container.operator_sessions.all()] == [name][
        : name is not None
    ]
    filling.close()
