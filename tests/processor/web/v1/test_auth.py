"""Who may call the API."""

import pytest
from redis import Redis

from processor.access.api_keys import ApiKeys
from processor.errors import Unauthorized
from processor.web.v1.auth import check
from tests.processor.web.v1.filling import KEY, SECOND_KEY, Filling

PATHS = ["/v1", "/v1/", "/v1/connections", "/v1/connections/none", "/v1/stats", "/v1/nothing/here"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
def test_without_a_key_everything_under_v1_is_401(filling: Filling, path: str, method: str) -> None:
    answer = filling.app.test_client().open(path, method=method)
    assert answer.status_code == 401
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json
    assert answer.json["status"] == 401


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        KEY,
        f"Basic {KEY}",
        f"Bearer {KEY}x",
        f"Bearer {KEY[:-1]}",
        f"Bearer {KEY},{SECOND_KEY}",
        f"Bearer {KEY} {KEY}",
        f"Bearer {KEY.upper()}",
        "Bearer kéy",
        "Bearer \udcff",
    ],
)
def test_what_is_no_key_is_refused(authorization: str) -> None:
    with pytest.raises(Unauthorized):
        check(authorization, ApiKeys(Redis(), (KEY, SECOND_KEY)))


@pytest.mark.parametrize("authorization", [f"Bearer {KEY}", f"bearer {SECOND_KEY}", f"BEARER  {KEY} "])
def test_each_of_the_keys_is_accepted(authorization: str) -> None:
    check(authorization, ApiKeys(Redis(), (KEY, SECOND_KEY)))


def test_a_key_opens_the_api(filling: Filling) -> None:
    answer = filling.app.test_client().get("/v1/stats", headers={"Authorization": f"Bearer {SECOND_KEY}"})
    assert answer.status_code == 200


def test_without_any_keys_configured_the_answer_says_so(redis_url: str) -> None:
    filling = Filling(redis_url, api_keys="")
    for header in ({}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {KEY}"}):
        answer = filling.app.test_client().get("/v1/connections", headers=header)
        assert answer.status_code == 401
        assert answer.json
        assert "API_KEYS is not set" in answer.json["detail"]
    filling.close()


def test_the_rest_of_the_service_asks_for_no_key(filling: Filling) -> None:
    client = filling.app.test_client()
    assert client.get("/healthz").status_code == 200
    assert client.get("/openapi.json").status_code == 200
    assert client.get("/v1x").status_code == 404
