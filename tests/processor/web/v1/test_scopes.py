"""API keys: names, scopes, digests, and what is kept behind them."""

import hashlib

import pytest
from redis import Redis

from processor.settings.people import ALL_SCOPES, Scope, api_key_of
from processor.store import keys
from processor.web.v1 import scopes
from tests.processor.web.v1.filling import KEY, Filling
from tests.support.serving import serving

HEX = hashlib.sha256(b"key-of-a-reader").hexdigest()
API_KEYS = f"reader:read:sha256:{HEX},writer:write:key-of-a-writer,chief:admin:key-of-a-chief,a:b:plain"
SENT = {Scope.READ: "key-of-a-reader", Scope.WRITE: "key-of-a-writer", Scope.ADMIN: "key-of-a-chief"}
HELD = {
    Scope.READ: {Scope.READ},
    Scope.WRITE: {Scope.READ, Scope.WRITE},
    Scope.ADMIN: {Scope.READ, Scope.WRITE, Scope.ADMIN},
}


@pytest.fixture
def scoped(redis_url: str):
    """A service with a key for each scope."""
    filling = Filling(redis_url, api_keys=API_KEYS)
    yield filling
    filling.close()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def calls_of(filling: Filling) -> list[tuple[str, str, str]]:
    """Method, path and operation of every call, from the route table."""
    return [
        (method, rule.rule.replace("<", "").replace(">", ""), rule.endpoint.rpartition(".")[2])
        for rule in filling.app.url_map.iter_rules()
        if rule.rule.startswith("/v1/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    ]


def test_every_call_asks_for_its_scope(scoped: Filling) -> None:
    client, calls = scoped.app.test_client(), calls_of(scoped)
    assert len(calls) > 30
    for method, path, operation in calls:
        needed = scopes.needed_scope(method, operation)
        assert method == "GET" or needed is not Scope.READ
        for held, key in SENT.items():
            answer = client.open(path, method=method, headers=bearer(key))
            is_refused = answer.status_code == 403 and answer.json["code"] == "scope_missing"
            assert is_refused == (needed not in HELD[held]), (method, path, held)
            if is_refused:
                assert f'scope="{needed}"' in answer.headers["WWW-Authenticate"]


def test_every_call_of_the_table_exists(scoped: Filling) -> None:
    assert {operation for _, _, operation in calls_of(scoped)} >= scopes.ADMIN_CALLS


def test_a_key_of_the_plain_form_may_do_everything_as_before(scoped: Filling) -> None:
    answer = scoped.app.test_client().delete("/v1/subscribers/none", headers=bearer("a:b:plain"))
    assert answer.status_code == 404


def test_a_digest_is_no_key(scoped: Filling) -> None:
    client = scoped.app.test_client()
    for guess in (HEX, f"sha256:{HEX}", f"reader:read:sha256:{HEX}", "writer:write:key-of-a-writer", "plain"):
        assert client.get("/v1/stats", headers=bearer(guess)).status_code == 401


@pytest.mark.parametrize(
    "entry", ["key", "a:b:c", "https://x:y", "name:read+fly:k", "na me:read:k", "n:read:"]
)
def test_what_has_no_scopes_is_a_plain_key(entry: str) -> None:
    key = api_key_of(entry, 3)
    assert (key.name, key.scopes) == ("key-3", ALL_SCOPES)
    assert key.matches(entry)


def test_a_key_is_made_and_revoked_while_the_service_runs(scoped: Filling, store: Redis) -> None:
    client = scoped.app.test_client()
    _, key = scoped.container.api_keys.add("billing", ["read"])
    assert client.get("/v1/stats", headers=bearer(key)).status_code == 200
    assert client.post("/v1/companies", json={}, headers=bearer(key)).status_code == 403
    assert key.encode() not in (store.dump(keys.api_keys()) or b"")
    assert key not in str(scoped.container.api_keys.rows())
    scoped.container.api_keys.revoke("billing")
    assert client.get("/v1/stats", headers=bearer(key)).status_code == 401


def test_what_keys_change_is_in_the_audit_trail(scoped: Filling) -> None:
    client = scoped.app.test_client()
    client.get("/v1/stats", headers=bearer("key-of-a-reader"))
    client.post("/v1/events/none/replay", headers=bearer("key-of-a-writer"))
    client.delete("/v1/companies/c1", headers=bearer("key-of-a-writer"))
    answer = client.get("/v1/audit", headers=bearer("key-of-a-chief"))
    assert [(row["actor"], row["action"], row["target"], row["outcome"]) for row in answer.json["items"]] == [
        ("writer", "v1 delete_company", "c1", "refused 403"),
        ("writer", "v1 replay_event", None, "refused 404"),
    ]


def test_internals_are_for_holders_of_a_key_where_asked(redis_url: str) -> None:
    client = serving(redis_url, API_KEYS=f"{KEY},scraper:read:key-of-a-scraper", PROTECT_INTERNALS="true")
    for path in ("/metrics", "/openapi.json"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers=bearer("guess")).status_code == 401
        assert client.get(path, headers=bearer("key-of-a-scraper")).status_code == 200
    assert client.get("/readyz").json == {"status": "ok"}
    assert client.get("/readyz", headers=bearer(KEY)).json["warnings"]
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz", headers=bearer("guess")).status_code == 401


def test_every_response_has_the_headers_that_isolate_it(scoped: Filling) -> None:
    client = scoped.app.test_client()
    for path in ("/", "/ops", "/v1/stats", "/connect/none", "/healthz", "/nowhere"):
        headers = client.get(path).headers
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "camera=()" in headers["Permissions-Policy"]
    assert client.get("/brand/none/logo").headers["Cross-Origin-Resource-Policy"] == "cross-origin"
