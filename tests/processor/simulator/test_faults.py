"""Faults of the API on demand."""

import json
import time
from email.utils import parsedate_to_datetime

import httpx
import pytest

from processor.simulator import SimulatorClient, SimulatorServer
from processor.simulator.clients import http_client


@pytest.mark.parametrize("status", [401, 402, 403, 404, 409, 429, 500, 503, 418])
def test_the_next_calls_answer_with_the_wanted_status(
    api: httpx.Client, control: SimulatorClient, status: int
) -> None:
    control.plan_fault(status=status, count=2)
    answers = [api.get("/companies") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [status, status, 200]
    assert answers[0].json()["statusCode"] == status
    assert answers[0].json()["correlationId"]


def test_a_rate_limit_says_when_to_come_back(api: httpx.Client, control: SimulatorClient) -> None:
    control.plan_fault(status=429, retry_after_s=7)
    answer = api.get("/companies")
    assert answer.headers["Retry-After"] == "7"
    assert "X-Rate-Limit-Remaining" in answer.headers
    assert "Retry-After" not in api.get("/companies").headers


def test_broken_json_is_broken(api: httpx.Client, control: SimulatorClient) -> None:
    control.plan_fault(broken_json=True)
    broken = api.get("/companies")
    assert broken.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        broken.json()
    assert api.get("/companies").json()["results"] == []


def test_a_call_hangs_for_a_while_and_goes_on(api: httpx.Client, control: SimulatorClient) -> None:
    control.plan_fault(hang_s=0.1, method="POST")
    assert api.get("/companies").status_code == 200
    before = time.monotonic()
    assert api.post("/companies", json={"name": "Shop"}).status_code == 200
    assert time.monotonic() - before >= 0.1
    control.plan_fault(hang_s=600, method="POST")
    with pytest.raises(httpx.TimeoutException):
        api.post("/companies", json={"name": "Shop"}, timeout=0.05)
    assert api.get("/companies").json()["totalResults"] == 1


def test_a_hanging_call_does_not_keep_the_simulator_from_stopping(make_server: object) -> None:
    server: SimulatorServer = make_server()  # type: ignore[operator]
    with SimulatorClient(server.url) as control:
        control.plan_fault(hang_s=60)
    with http_client() as http, pytest.raises(httpx.TimeoutException):
        http.get(f"{server.url}/companies", timeout=0.05)
    before = time.monotonic()
    server.stop()
    assert time.monotonic() - before < 30


def test_a_fault_may_concern_one_path_only(api: httpx.Client, control: SimulatorClient) -> None:
    control.plan_fault(status=503, path="/integrations")
    assert api.get("/companies").status_code == 200
    assert api.get("/integrations").status_code == 503
    assert api.get("/integrations").status_code == 200


def test_the_clock_of_the_answers_can_be_wrong(api: httpx.Client, control: SimulatorClient) -> None:
    def date() -> float:
        return parsedate_to_datetime(api.get("/companies").headers["Date"]).timestamp()

    before = date()
    control.plan_fault(date_offset_s=-3_600)
    assert date() < before - 3_000
    api.delete("/simulator/faults")
    assert date() >= before


@pytest.mark.parametrize(
    "fault", [{"status": "x"}, {"nothing": 1}, {"broken_json": 1}, {"count": True}, {"hang_s": None}]
)
def test_faults_that_make_no_sense_are_refused(api: httpx.Client, fault: object) -> None:
    assert api.post("/simulator/faults", json=fault).status_code == 400
    assert api.get("/simulator/faults").json()["faults"] == []
