"""What protects the operators' pages: the password, the seals of forms, headers, escaping, odd input."""

import base64
import json
import logging
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from processor.runtime.embedded_engine import Engine
from tests.processor.web.ops.operating import PASSWORD, SEAL, Operator, basic
from tests.processor.web.v1.filling import KEY, Filling
from tests.support.serving import PROBLEM, patient, problem, serving

SCHEME = 'Basic realm="operators", charset="UTF-8"'
PATHS = ["/ops", "/ops/", "/ops/connections", "/ops/events/none", "/ops/search?q=x", "/ops/nowhere"]
NASTY = "\"><script>alert(1)</script>'"
ID = "a/b?c#d%2F..\"'<i>é"
"""An id that Codat might send, and that fits into no address as it is."""


def encoded(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


# The password


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
def test_without_a_password_set_there_are_no_pages(redis_url: str, path: str, method: str) -> None:
    answer = serving(redis_url).open(path, method=method, headers={"Authorization": basic("operator", "")})
    said = problem(answer)
    assert said["status"] == 404
    assert "OPERATOR_PASSWORD" in said["detail"]
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


# Forms


@pytest.fixture
def actions(filling: Filling) -> dict[str, dict[str, Any]]:
    """Every address that changes something, and what its form sends."""
    filling.make_ready()
    filling.let_die()
    subscribed = filling.app.test_client().post(
        "/v1/subscribers",
        json={"url": "http://127.0.0.1:9/"},
        headers={"Authorization": f"Bearer {KEY}"},
    )
    assert subscribed.json
    told = filling.container.reader.list_notifications(connection_id=None, limit=1, cursor=None).items[0]
    return {
        "/ops/events/broken": {},
        "/ops/events": {"status": "dead", "event_id": ["broken"]},
        f"/ops/notifications/{told['body']['id']}": {},
        f"/ops/subscribers/{subscribed.json['id']}": {"action": "disable"},
        "/ops/companies/c1": {},
    }


@pytest.mark.parametrize("cheat", ["no seal", "odd seal", "no cookie", "other browser", "cross-site"])
def test_a_form_that_we_did_not_give_to_this_browser_does_nothing(
    filling: Filling, actions: dict[str, dict[str, Any]], redis_url: str, cheat: str
) -> None:
    operator = Operator(filling)
    with Redis.from_url(redis_url) as client:
        before = {key: client.dump(key) for key in client.scan_iter()}
        for path, fields in actions.items():
            seal = SEAL.search(operator.open("/ops/events/broken").text)
            assert seal is not None
            data = {"seal": seal[1], **fields}
            headers = dict(operator.headers)
            if cheat == "no seal":
                del data["seal"]
            elif cheat == "odd seal":
                data["seal"] = "\x00é\ud7ff"
            elif cheat == "cross-site":
                headers["Sec-Fetch-Site"] = "cross-site"
            elif cheat == "no cookie":
                operator = Operator(filling)
            else:
                operator = Operator(filling)
                operator.open("/ops/events/broken")
            answer = operator.http.post(path, data=data, headers=headers)
            assert answer.status_code == 403, path
            assert "This form has expired" in answer.text
        assert {key: client.dump(key) for key in client.scan_iter()} == before


def test_no_get_changes_anything(
    filling: Filling, actions: dict[str, dict[str, Any]], redis_url: str
) -> None:
    operator = Operator(filling)
    with Redis.from_url(redis_url) as client:
        before = {key: client.dump(key) for key in client.scan_iter()}
        for path in ("/ops", *actions):
            for query in ({"action": "enable"}, {"lane": "email"}):
                assert operator.open(path, **query).status_code == 422
            assert operator.open(path).status_code == 200
        after = {key: client.dump(key) for key in client.scan_iter()}
    assert after == before


def test_the_cookie_stays_with_these_pages(filling: Filling) -> None:
    (cookie,) = Operator(filling).open("/ops").headers.getlist("Set-Cookie")
    assert "Path=/ops" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_a_seal_is_worth_nothing_after_the_password_changed(filling: Filling, redis_url: str) -> None:
    operator = Operator(filling)
    filling.let_die()
    seal = SEAL.search(operator.open("/ops/events/broken").text)
    assert seal is not None
    cookie = operator.http.get_cookie("browser", path="/ops")
    assert cookie is not None
    other = Filling(redis_url, OPERATOR_PASSWORD="another")
    client = other.app.test_client()
    client.set_cookie("browser", cookie.value, path="/ops")
    answer = client.post(
        "/ops/events/broken",
        data={"seal": seal[1]},
        headers={"Authorization": basic("operator", "another")},
    )
    assert answer.status_code == 403
    other.close()


# Headers


def test_pages_have_a_strict_policy_without_scripts(filling: Filling) -> None:
    operator = Operator(filling)
    for path in ("/ops", "/ops/events", "/ops/nowhere", "/ops/events/none"):
        headers = operator.open(path).headers
        assert headers["Content-Security-Policy"] == (
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        )
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert "noindex" in headers["X-Robots-Tag"]
        assert headers["X-Content-Type-Options"] == "nosniff"
    refused = operator.http.put("/ops/events", headers=operator.headers)
    assert (refused.status_code, refused.headers["Cache-Control"]) == (405, "no-store")


# Hostile content and odd input


def hostile(filling: Filling) -> None:
    """A connection, a company and messages whose every text is an attack."""
    nasty = {"id": ID, "platformName": NASTY, "integrationKey": NASTY, "sourceType": NASTY}
    for event_type in ("connection.created", "connection.connected"):
        filling.now += timedelta(minutes=1)
        body = {
            "eventType": event_type,
            "generatedDate": filling.now.isoformat(),
            "payload": {
                "referenceCompany": {
                    "id": ID,
                    "name": NASTY,
                    "tags": {"merchantId": ID, NASTY: NASTY},
                },
                "connection": nasty,
            },
        }
        filling.accept(json.dumps(body).encode(), f"msg-{ID}-{event_type}")
    filling.accept(NASTY.encode(), f"raw-{ID}")
    filling.drain()


def test_hostile_content_is_only_ever_text(filling: Filling) -> None:
    hostile(filling)
    operator = Operator(filling)
    seen = 0
    waiting, known = ["/ops", f"/ops/search?q={'%3Ci%3E'}"], set()
    while waiting:
        path = waiting.pop()
        if path in known:
            continue
        known.add(path)
        answer = operator.open(path)
        assert answer.status_code == 200, path
        assert "<script" not in answer.text, path
        assert "<i>" not in answer.text, path
        seen += "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text
        waiting += [link for link in links(answer.text) if link.startswith("/ops")]
    assert seen >= 8, "the attack was on many pages"
    assert sum("?id=" in path for path in known) >= 5, "and was followed by its id"


def links(text: str) -> list[str]:
    return [unescape(part.partition('"')[0]) for part in text.split('href="')[1:]]


def test_what_has_a_hostile_id_is_found_replayed_and_sent_again(filling: Filling) -> None:
    hostile(filling)
    operator = Operator(filling)
    for wanted in (ID, f"raw-{ID}", f"msg-{ID}-connection.created"):
        answer = operator.open("/ops/search", q=wanted)
        pages = [answer.headers["Location"]] if answer.status_code == 302 else links(answer.text)
        pages = [page for page in pages if "?id=" in page]
        assert pages
        assert all(operator.open(page).status_code == 200 for page in pages)
    event = operator.open("/ops/search", q=f"msg-{ID}-connection.created").headers["Location"]
    assert operator.follow(operator.send(event)).startswith("It waits in the inbox again")
    told = filling.container.reader.list_notifications(connection_id=ID, limit=1, cursor=None).items[0]
    path = f"/ops/notifications/{told['body']['id']}"
    assert operator.send(path, seal=operator.seal()).status_code == 409


ODD_IDS = [
    "%00",
    "%ff%fe",
    "%0a",
    "%2e%2e",
    "-",
    "-?id=",
    "-?id=%00",
    "-?id=%ff",
    "a" * 5000,
    "%F0%9F%92%A5",
    "%",
]


@pytest.mark.parametrize("kind", ["connections", "companies", "events", "notifications", "subscribers"])
@pytest.mark.parametrize("id_", ODD_IDS)
def test_an_odd_id_is_404_and_never_a_fault(filling: Filling, kind: str, id_: str) -> None:
    operator = Operator(filling)
    assert operator.open(f"/ops/{kind}/{id_}").status_code == 404
    if kind != "connections":
        seal = SEAL.search(Operator.open(operator, "/ops/events").text)
        assert seal is None
        answer = operator.http.post(f"/ops/{kind}/{id_}", data={"seal": "x"}, headers=operator.headers)
        assert answer.status_code == 403


@pytest.mark.parametrize(
    "path", ["/ops/connections", "/ops/events", "/ops/notifications", "/ops/subscribers"]
)
@pytest.mark.parametrize(
    "query",
    [
        "cursor=x",
        "cursor=%ff",
        "limit=0",
        "limit=x",
        "limit=" + "9" * 400,
        "limit=%00",
        "cursor=" + "a" * 4000,
    ],
)
def test_an_odd_parameter_is_422_in_words(filling: Filling, path: str, query: str) -> None:
    answer = Operator(filling).open(f"{path}?{query}")
    assert answer.status_code == 422
    assert query.partition("=")[0] in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/ops",
        "/ops/events",
        "/ops/events/broken",
        "/ops/connections",
        "/ops/connections/xero",
        "/ops/companies/c1",
        "/ops/notifications",
        "/ops/subscribers",
        "/ops/search",
    ],
)
@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("_external=1&_anchor=x&_scheme=javascript&endpoint=x", "_scheme"),
        ("%ff=%fe&=&&a", "a"),
        ("stauts=dead", "stauts"),
        ("satte=", "satte"),
        ("id=x", "id"),
        ("a=b&" * 500, "a"),
        ("%3Ci%3E=1", "&lt;i&gt;"),
    ],
)
def test_unknown_parameters_are_refused_by_name(filling: Filling, path: str, query: str, named: str) -> None:
    """``/ops/events?stauts=dead`` listed all messages, as though every one were dead."""
    filling.make_ready()
    filling.let_die()
    answer = Operator(filling).open(f"{path}?{query}")
    assert answer.status_code == 422
    assert f"<code>{named}</code>" in answer.text
    assert "javascript:" not in answer.text


@pytest.mark.parametrize("path", ["/ops/events?status=", "/ops/connections?state=&limit=", "/ops/search?q="])
def test_a_blank_parameter_is_not_given(filling: Filling, path: str) -> None:
    assert Operator(filling).open(path).status_code == 200


@pytest.mark.parametrize("path", ["/ops", "/ops/events", "/ops/search"])
def test_every_page_says_what_was_done_and_can_load_itself_again(filling: Filling, path: str) -> None:
    answer = Operator(filling).open(f"{path}?done=replayed&count=1&at=1&refresh=30")
    assert answer.status_code == 200


def test_an_unknown_status_is_422(filling: Filling) -> None:
    for path in ("/ops/events?status=x", "/ops/connections?state=x", "/ops/notifications?status=x"):
        assert Operator(filling).open(path).status_code == 422


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        (b"seal=" + b"x" * 70_000, "application/x-www-form-urlencoded", 413),
        (b"\xff=\xff&seal=%ff", "application/x-www-form-urlencoded", 403),
        (b"no parts", "multipart/form-data; boundary=x", 403),
        (b"{}", "application/json", 403),
        (b"--x\r\n\r\n", "multipart/form-data", 403),
    ],
)
def test_an_odd_form_is_refused(filling: Filling, data: bytes, content_type: str, status: int) -> None:
    operator = Operator(filling)
    filling.let_die()
    operator.open("/ops")
    answer = operator.http.post(
        "/ops/events/broken", data=data, content_type=content_type, headers=operator.headers
    )
    assert answer.status_code == status


# Redis away


def test_while_redis_is_away_every_page_says_so(data_dir: Path) -> None:
    with Engine(data_dir) as engine:
        url = engine.url
    client = serving(url, hurried=True, OPERATOR_PASSWORD=PASSWORD)
    for path in ("/ops", "/ops/connections", "/ops/connections/x", "/ops/events", "/ops/search?q=x"):
        answer = client.get(path, headers={"Authorization": basic()})
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.mimetype == "text/html"
        assert "Redis does not answer" in answer.text
    assert client.get("/ops").status_code == 401


def test_while_redis_is_away_an_action_says_so(data_dir: Path) -> None:
    with Engine(data_dir) as engine:
        filling = Filling(patient(engine.url), OPERATOR_PASSWORD=PASSWORD)
        operator = Operator(filling)
        filling.let_die()
        seal = SEAL.search(operator.open("/ops/events/broken").text)
        assert seal is not None
    answer = operator.send("/ops/events/broken", seal=seal[1])
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    filling.close()


def test_the_api_still_answers_with_problems(filling: Filling) -> None:
    assert filling.app.test_client().get("/v1/stats").mimetype == PROBLEM
