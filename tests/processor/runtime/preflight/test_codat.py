"""The checks of the API key and of the clock."""

import base64
import time
from email.utils import formatdate

import httpx
import pytest
import respx

from processor.runtime.preflight.codat import check_codat
from processor.runtime.preflight.results import CheckResult, CheckStatus
from tests.processor.runtime.preflight.conftest import KEY, settings, statuses


def test_without_a_key_codat_is_not_asked() -> None:
    with respx.mock:
        results = list(check_codat(settings()))
    assert statuses(results) == [CheckStatus.WARNING, CheckStatus.WARNING]
    assert results[0].sentence == (
        "CODAT_API_KEY is unset: legacy alerts are taken at their word, and bad news is told unchecked."
    )


def asked(answer: httpx.Response | Exception) -> list[CheckResult]:
    """What is found when Codat answers so."""
    effect = {"side_effect": answer} if isinstance(answer, Exception) else {"return_value": answer}
    with respx.mock:
        route = respx.get("https://api.codat.io/companies", params={"page": 1, "pageSize": 1})
        route.mock(**effect)
        results = list(check_codat(settings(CODAT_API_KEY=KEY)))
        sent = route.calls.last.request.headers["Authorization"]
    assert base64.b64decode(sent.removeprefix("Basic ")).decode() == KEY
    assert "hush" not in str(results)
    return results


def now(off_s: float = 0) -> dict[str, str]:
    """A ``Date`` header, off by so many seconds."""
    return {"Date": formatdate(time.time() + off_s, usegmt=True)}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, CheckStatus.OK),
        (401, CheckStatus.ERROR),
        (403, CheckStatus.ERROR),
        (404, CheckStatus.ERROR),
        (302, CheckStatus.ERROR),
        (429, CheckStatus.WARNING),
        (503, CheckStatus.WARNING),
    ],
)
def test_codats_answer_tells_whether_the_key_is_right(status: int, expected: CheckStatus) -> None:
    answer = httpx.Response(status, headers=now(), json={"results": [], "pageNumber": 1})
    assert statuses(asked(answer)) == [expected, CheckStatus.OK]


def test_a_limit_of_the_account_is_no_wrong_address() -> None:
    result, _ = asked(httpx.Response(402, headers=now()))
    assert result.status is CheckStatus.ERROR
    assert "limit of the account" in result.sentence
    assert "CODAT_API_URL" not in result.sentence


@pytest.mark.parametrize("body", [b"", b"<html>hush</html>", b"[]", b"{}", b'{"results": 1}', b"\xff"])
def test_whatever_else_answers_200_does_not_accept_the_key(body: bytes) -> None:
    result, clock = asked(httpx.Response(200, headers=now(), content=body))
    assert result.status is CheckStatus.ERROR
    assert "CODAT_API_URL" in result.sentence
    assert clock.status is CheckStatus.OK


@pytest.mark.parametrize("error", [httpx.ReadTimeout("slow"), httpx.ConnectError("refused")])
def test_codat_out_of_reach_is_an_error_and_the_clock_has_its_line(error: Exception) -> None:
    """One of them was a warning, and the line of the clock was left out."""
    results = asked(error)
    assert statuses(results) == [CheckStatus.ERROR, CheckStatus.WARNING]
    assert [result.subject for result in results] == ["codat", "clock"]


def test_why_codat_is_out_of_reach_is_said() -> None:
    environ = {"CODAT_API_KEY": KEY, "CODAT_API_URL": "http://127.0.0.1:1"}
    results = list(check_codat(settings(**environ)))
    assert results[0].sentence.endswith("could not be tried: connection refused: nothing listens there.")


@pytest.mark.parametrize(
    ("off_s", "expected"),
    [
        (0, CheckStatus.OK),
        (-20, CheckStatus.OK),
        (45, CheckStatus.WARNING),
        (-45, CheckStatus.WARNING),
        (120, CheckStatus.WARNING),
        (-120, CheckStatus.WARNING),
        (3600, CheckStatus.ERROR),
        (-3600, CheckStatus.ERROR),
    ],
)
def test_a_clock_that_is_off_is_found(off_s: int, expected: CheckStatus) -> None:
    assert asked(httpx.Response(200, headers=now(off_s)))[1].status is expected


@pytest.mark.parametrize("headers", [{}, {"Date": "yesterday"}, {"Date": "Sun, 99 Nov 2026 99:99:99 GMT"}])
def test_an_answer_without_a_time_is_a_warning(headers: dict[str, str]) -> None:
    assert asked(httpx.Response(200, headers=headers))[1].status is CheckStatus.WARNING
