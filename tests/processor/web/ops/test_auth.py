"""The password of the operators' pages."""

import base64
import logging

import pytest

from tests.processor.web.ops.operating import PASSWORD, basic
from tests.processor.web.v1.filling import KEY, Filling
from tests.support.serving import problem, serving

SCHEME = 'Basic realm="operators", charset="UTF-8"'
PATHS = ["/ops", "/ops/", "/ops/connections", "/ops/events/none", "/ops/search?q=x", "/ops/nowhere"]


def encoded(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
def test_without_a_password_set_there_are_no_pages(redis_url: str, path: str, method: str) -> None:
    answer = serving(redis_url).open(path, method=method, headers={"Authorization": basic("operator", "")})
    fields = problem(answer)
    assert fields["status"] == 404
    assert "OPERATOR_PASSWORD" in fields["detail"]
    assert "WWW-Authenticate" not in answer.headers


ODD_CREDENTIALS = [
    None,
    "",
    "Basic",
    "Basic ",
    "Basic %%%",
    "Basic é",
    "Basic " + "A" * 60_000,
    "Basic " + encoded(b"operator"),
    "Basic " + encoded(b"operator:"),
    "Basic " + encoded(b":" + PASSWORD.encode()),
    "Basic " + encoded(b"\xff\xfe:\xff"),
    "Basic " + encoded(b"operator:\x00"),
    "Basic " + encoded(b"operator:" + PASSWORD.encode("latin-1")),
    "Basic " + encoded(b"operator:" + PASSWORD.encode() + b"\x00"),
    "Basic " + encoded(f"Operator:{PASSWORD}".encode()),
    "Basic " + encoded(f"operator:{PASSWORD[:-1]}".encode()),
    f"Bearer {PASSWORD}",
    f"Bearer {KEY}",
    "Basic " + encoded(f"operator:{KEY}".encode()),
    f"Digest {encoded(b'operator:' + PASSWORD.encode())}",
    f"{basic()},{basic()}",
]


@pytest.mark.parametrize("authorization", ODD_CREDENTIALS)
def test_without_the_right_credentials_nothing_is_shown(filling: Filling, authorization: str | None) -> None:
    filling.make_ready()
    headers = {} if authorization is None else {"Authorization": authorization}
    for path in ("/ops", "/ops/connections/xero", "/ops/nowhere"):
        answer = filling.app.test_client().get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == SCHEME
        assert "xero" not in answer.text.lower()
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("authorization", [basic(), basic().replace("Basic", "basic"), basic() + " "])
def test_the_right_credentials_open_the_pages(filling: Filling, authorization: str) -> None:
    answer = filling.app.test_client().get("/ops", headers={"Authorization": authorization})
    assert answer.status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_whatever_the_method_the_password_is_asked_for(filling: Filling, method: str) -> None:
    for path in PATHS:
        answer = filling.app.test_client().open(path, method=method)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == SCHEME


def test_nothing_of_the_operators_opens_anything_else(filling: Filling) -> None:
    client = filling.app.test_client()
    assert client.get("/v1/stats", headers={"Authorization": basic()}).status_code == 401
    assert client.get("/v1/stats", headers={"Authorization": f"Bearer {PASSWORD}"}).status_code == 401
    company = filling.container.journey.tokens.make("c1")
    for path in (f"/ops?token={company}", f"/ops/{company}"):
        assert client.get(path).status_code == 401
    assert client.get("/ops", headers={"Authorization": f"Basic {company}"}).status_code == 401


def test_a_refused_login_is_logged_without_what_was_sent(
    filling: Filling, caplog: pytest.LogCaptureFixture
) -> None:
    client = filling.app.test_client()
    with caplog.at_level(logging.INFO):
        client.get("/ops")
        assert caplog.records == []
        client.get("/ops", headers={"Authorization": basic("somebody", "a-guess")})
    (record,) = caplog.records
    assert record.getMessage() == "a login to the operators' pages was refused"
    written = str(vars(record))
    assert "a-guess" not in written
    assert "somebody" not in written
    assert basic("somebody", "a-guess").partition(" ")[2] not in written
