"""Security headers, hostile content, and odd parameters and forms."""

import json
from datetime import timedelta
from html import unescape

import pytest

from tests.processor.web.ops.operating import OWN_SCRIPT, SEAL, Operator, forms
from tests.processor.web.v1.filling import Filling

NASTY = "\"><script>alert(1)</script>'"
ID = "a/b?c#d%2F..\"'<i>é"
"""An id that Codat might send, and that fits into no address as it is."""


def test_pages_have_a_strict_policy(filling: Filling) -> None:
    operator = Operator(filling)
    for path in ("/ops", "/ops/events", "/ops/nowhere", "/ops/events/none"):
        headers = operator.open(path).headers
        live = "; connect-src 'self'" if path == "/ops" else ""
        assert headers["Content-Security-Policy"] == (
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
            f"base-uri 'none'; frame-ancestors 'none'; script-src 'self'{live}"
        )
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert "noindex" in headers["X-Robots-Tag"]
        assert headers["X-Content-Type-Options"] == "nosniff"
    refused = operator.http.put("/ops/events", headers=operator.headers)
    assert (refused.status_code, refused.headers["Cache-Control"]) == (405, "no-store")


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
        assert answer.text.count("<script") == answer.text.count(OWN_SCRIPT), path
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


def test_the_links_of_a_company_with_a_hostile_id_are_revoked(filling: Filling) -> None:
    """The address of the form had its last part behind the id, and so named another company."""
    hostile(filling)
    operator = Operator(filling)
    (form,) = (form for form in forms(operator.open("/ops/companies/-", id=ID)) if "revoke its" in form)
    action, seal = unescape(form.partition('action="')[2].partition('"')[0]), SEAL.search(form)
    assert seal is not None
    page = operator.follow(operator.send(action, seal=seal[1]))
    assert page.startswith("The links of this company that were made before are revoked.")


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
def test_an_odd_id_is_404_and_never_a_fault(filling: Filling, kind: str) -> None:
    operator = Operator(filling)
    assert SEAL.search(operator.open("/ops/events").text) is None
    for id_ in ODD_IDS:
        path = f"/ops/{kind}/{id_}"
        assert operator.open(path).status_code == 404, path
        if kind != "connections":
            answer = operator.http.post(path, data={"seal": "x"}, headers=operator.headers)
            assert answer.status_code == 403, path


@pytest.mark.parametrize(
    "path", ["/ops/connections", "/ops/events", "/ops/notifications", "/ops/subscribers"]
)
def test_an_odd_parameter_is_422_in_words(filling: Filling, path: str) -> None:
    operator = Operator(filling)
    for query in (
        "cursor=x",
        "cursor=%ff",
        "limit=0",
        "limit=x",
        "limit=" + "9" * 400,
        "limit=%00",
        "cursor=" + "a" * 4000,
    ):
        answer = operator.open(f"{path}?{query}")
        assert answer.status_code == 422, query
        assert query.partition("=")[0] in answer.text


PAGES = (
    "/ops",
    "/ops/events",
    "/ops/events/broken",
    "/ops/connections",
    "/ops/connections/xero",
    "/ops/companies/c1",
    "/ops/notifications",
    "/ops/subscribers",
    "/ops/search",
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
def test_unknown_parameters_are_refused_by_name(filling: Filling, query: str, named: str) -> None:
    """``/ops/events?stauts=dead`` listed all messages, as though every one were dead."""
    filling.make_ready()
    filling.let_die()
    operator = Operator(filling)
    for path in PAGES:
        answer = operator.open(f"{path}?{query}")
        assert answer.status_code == 422, path
        assert f"<code>{named}</code>" in answer.text, path
        assert "javascript:" not in answer.text, path


@pytest.mark.parametrize("path", ["/ops/events?status=", "/ops/connections?state=&limit=", "/ops/search?q="])
def test_a_blank_parameter_is_not_given(filling: Filling, path: str) -> None:
    assert Operator(filling).open(path).status_code == 200


@pytest.mark.parametrize("path", ["/ops", "/ops/events", "/ops/search"])
def test_every_page_says_what_was_done_and_can_load_itself_again(filling: Filling, path: str) -> None:
    answer = Operator(filling).open(f"{path}?done=replayed&count=1&done_at=1&refresh=30")
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
