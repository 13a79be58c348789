"""The page of sessions and API keys, and what a subscriber's page changes."""

import re
from datetime import timedelta
from typing import Any

from processor.access.operators import PASSWORD as BY_PASSWORD
from processor.access.operators import Operator as Person
from processor.settings.people import USER, Role
from tests.processor.web.ops.operating import Operator, add_subscriber, text_of
from tests.processor.web.v1.filling import Filling


def test_a_key_is_shown_once_works_and_is_revoked(operator: Operator, filling: Filling) -> None:
    made = operator.send("/ops/access", seal=None, name="")
    assert made.status_code == 405, "the page itself takes no form"
    seal = operator.seal()
    refused = operator.send("/ops/access/api-keys", seal=seal, name="no name", scopes="read")
    assert refused.status_code == 422
    made = operator.send("/ops/access/api-keys", seal=seal, name="billing", scopes=["read"])
    (key,) = re.findall(r'value="(cpk_[^"]+)"', made.text)
    http = filling.app.test_client()
    headers = {"Authorization": f"Bearer {key}"}
    assert http.get("/v1/stats", headers=headers).status_code == 200
    listed = operator.open("/ops/access")
    assert key not in listed.text
    assert "billing read" in text_of(listed)
    page = operator.follow(operator.send("/ops/access/api-keys/billing", seal=seal))
    assert "The key is revoked" in page
    assert http.get("/v1/stats", headers=headers).status_code == 401
    assert operator.send("/ops/access/api-keys/billing", seal=seal).status_code == 404
    actions = [(entry["action"], entry["target"]) for entry in filling.container.audit.entries(limit=9).items]
    assert ("ops revoke_key", "billing") in actions
    assert ("ops add_key", None) in actions
    assert key not in repr(actions)


def test_a_signing_secret_is_added_not_shown_and_removed(operator: Operator, filling: Filling) -> None:
    secret = "whsec_" + "dGhlIG5ldyBzZWNyZXQgb2YgYSBjb25zdW1lcg=="
    refused = operator.send("/ops/access/webhook-secrets", seal=operator.seal(), secret="whsec_QQ==")
    assert refused.status_code == 422
    assert "whsec_QQ==" not in refused.text
    page = operator.follow(operator.send("/ops/access/webhook-secrets", seal=operator.seal(), secret=secret))
    assert "accepted now" in page
    (stored,) = filling.container.webhook_secrets.all()
    listed = operator.open("/ops/access").text
    assert stored.id in listed
    assert secret not in listed
    address = f"/ops/access/webhook-secrets/{stored.id}"
    assert "is removed" in operator.follow(operator.send(address, seal=operator.seal()))
    assert operator.send(address, seal=operator.seal()).status_code == 404
    trail = [(entry["action"], entry["target"]) for entry in filling.container.audit.entries(limit=9).items]
    assert ("ops add_webhook_secret", stored.id) in trail
    assert ("ops remove_webhook_secret", stored.id) in trail
    assert secret not in repr(trail)


def test_sessions_are_listed_and_ended_one_by_one(operator: Operator, filling: Filling) -> None:
    sessions = filling.container.operator_sessions
    tokens = []
    for _ in range(3):
        tokens.append(sessions.open(Person(USER, Role.ADMIN), BY_PASSWORD))
        filling.now += timedelta(minutes=1)  # of one moment they are in any order
    ids = re.findall(r'<span class="id">([0-9a-f]{12})</span>', operator.open("/ops/access").text)
    assert len(ids) == 3
    assert "Sessions ended: 1." in operator.follow(
        operator.send(f"/ops/access/sessions/{ids[0]}", seal=operator.seal())
    )
    assert sessions.find(tokens[2]) is None, "the newest comes first"
    assert sessions.find(tokens[0]) is not None
    assert operator.send("/ops/access/sessions/a", seal=operator.seal()).status_code == 404
    operator.follow(operator.send(f"/ops/access/people/{USER}", seal=operator.seal()))
    assert sessions.all() == []


def test_a_subscriber_is_edited(operator: Operator, filling: Filling) -> None:
    id_ = add_subscriber(filling, "http://127.0.0.1:9/hook")
    fields: dict[str, Any] = {
        "action": "edit",
        "url": "http://127.0.0.1:9/other",
        "description": "Loans",
        "rate_per_s": "2.5",
        "traceparent": "on",
        "types": ["connection.authorized"],
    }
    assert "The subscriber is changed" in operator.follow(operator.send(f"/ops/subscribers/{id_}", **fields))
    changed = filling.container.subscribers.get(id_)
    assert (changed.url, changed.description, changed.rate_per_s) == (
        "http://127.0.0.1:9/other",
        "Loans",
        2.5,
    )
    assert (changed.traceparent, changed.ordered, changed.types) == (True, False, ("connection.authorized",))
    page = operator.open(f"/ops/subscribers/{id_}").text
    assert 'name="traceparent" checked' in page
    assert 'value="connection.authorized" checked' in page
    assert operator.send(f"/ops/subscribers/{id_}", action="edit", url="ftp://x").status_code == 422


def test_links_of_one_receiver_are_revoked_alone(operator: Operator, filling: Filling) -> None:
    first, second = (add_subscriber(filling, f"http://127.0.0.1:9/{name}") for name in ("a", "b"))
    links = {}
    for id_ in (first, second):
        answer = operator.send(f"/ops/subscribers/{id_}", action="portal_link")
        (url,) = re.findall(r'value="(http[^"]+/receivers/[^"]+)"', answer.text)
        links[id_] = "/receivers/" + url.rpartition("/")[2]
    http = filling.app.test_client()
    assert [http.get(links[id_]).status_code for id_ in (first, second)] == [200, 200]
    operator.follow(operator.send(f"/ops/subscribers/{first}", action="revoke_portal"))
    assert [http.get(links[id_]).status_code for id_ in (first, second)] == [404, 200]
    answer = operator.send(f"/ops/subscribers/{first}", action="portal_link")
    (url,) = re.findall(r'value="(http[^"]+/receivers/[^"]+)"', answer.text)
    assert http.get("/receivers/" + url.rpartition("/")[2]).status_code == 200
