"""The forms of the operators' pages: CSRF tokens, and no change by GET."""

from typing import Any

import pytest
from redis import Redis

from tests.processor.web.ops.operating import SEAL, Operator, basic
from tests.processor.web.v1.filling import KEY, Filling


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
