"""Every problem has a type of its own, at an address that explains it."""

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from processor.errors import Invalid, ProcessorError
from processor.web import problem_json
from tests.processor.web.v1.filling import KEY, Filling

BEARER = {"Authorization": f"Bearer {KEY}"}


def kinds(kind: type[ProcessorError] = ProcessorError) -> set[type[ProcessorError]]:
    return {kind, *(item for narrower in kind.__subclasses__() for item in kinds(narrower))}


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda http: http.get("/v1/connections"), "unauthorized"),
        (lambda http: http.get("/v1/connections/nobody", headers=BEARER), "not_found"),
        (lambda http: http.get("/nowhere"), "not_found"),
        (lambda http: http.put("/v1/connections", headers=BEARER), "method_not_allowed"),
        (lambda http: http.get("/v1/connections?colour=red", headers=BEARER), "invalid"),
        (lambda http: http.post("/v1/companies", headers=BEARER, json={"merchant_id": "m"}), "codat_not_set"),
        (lambda http: http.post("/v1/companies", headers=BEARER, data=b"{"), "invalid"),
        (lambda http: http.post("/webhooks/codat", data=b"{}"), "unauthorized"),
        (lambda http: http.get("/problems/nothing"), "not_found"),
    ],
)
def test_a_problem_says_what_kind_it_is_and_where_that_is_explained(
    filling: Filling, call: Callable[[Any], TestResponse], code: str
) -> None:
    """`type` was `about:blank` for every error: a program had to compare sentences."""
    http = filling.app.test_client()
    answer = call(http)
    assert answer.mimetype == "application/problem+json"
    assert answer.json is not None
    assert (answer.json["code"], answer.json["type"]) == (code, f"/problems/{code}")

    explained = http.get(answer.json["type"])
    assert explained.status_code == 200
    assert explained.json is not None
    assert explained.json["code"] == code
    assert explained.json["status"] == answer.status_code
    assert explained.json["meaning"]
    assert explained.json["remedy"]


def test_every_error_of_ours_has_a_code_of_its_own(filling: Filling) -> None:
    """An error that shares its code with another cannot be told from it; one that is private needs none."""
    public = [kind for kind in kinds() if not kind.__name__.startswith("_")]
    codes = [kind.code for kind in public]
    assert len(set(codes)) == len(codes)

    listed = filling.app.test_client().get("/problems").json
    assert listed is not None
    assert set(codes) <= {item["code"] for item in listed["items"]}
    assert set(codes) <= problem_json.problem_types().keys()


def test_a_detail_names_what_is_wrong(filling: Filling) -> None:
    """`detail` was "What was sent cannot be used": what was wrong stood elsewhere, if anywhere."""
    answer = filling.app.test_client().get("/v1/connections?state=red&limit=0", headers=BEARER)
    assert answer.json is not None
    assert "state: " in answer.json["detail"]
    assert "limit: " in answer.json["detail"]


def test_a_detail_repeats_little_of_what_a_stranger_wrote() -> None:
    """Field names are the caller's own words: a thousand long ones must not come back twice."""
    error = Invalid(errors={f"{number}" * 1_000: ["Unknown field." * 1_000] for number in range(1_000)})
    assert len(error.detail) < 2_000
    assert "and 995 more" in error.detail
