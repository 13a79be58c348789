"""Calls of the API that several tests make."""

import httpx


def create_company(api: httpx.Client, name: str = "Corner Shop", **tags: str) -> str:
    """Add a company; its id."""
    answer = api.post("/companies", json={"name": name, "tags": tags})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def create_connection(api: httpx.Client, company_id: str, platform_key: str = "gbol") -> str:
    """Choose a platform for a company; the id of the connection."""
    answer = api.post(f"/companies/{company_id}/connections", json={"platformKey": platform_key})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def assert_error(answer: httpx.Response, status: int) -> None:
    """The answer is an error in Codat's own form."""
    body = answer.json()
    assert answer.status_code == body["statusCode"] == status
    assert body["service"]
    assert body["error"]
    assert body["correlationId"]
    assert body["canBeRetried"] in ("Unknown", "True")
    assert body["detailedErrorCode"] == 0
    if status == 400:
        assert [error["message"] for error in body["validation"]["errors"]] == [body["error"]]
