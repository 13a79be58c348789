"""Each way in which Codat can fail is one clear error, and only reading is tried again."""

import base64
import logging
import traceback
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from processor.codat.client import CodatClient
from processor.codat.errors import CodatConflict, CodatFailing, CodatNotFound, CodatUncertain
from processor.codat.http import CodatHttp
from processor.errors import CodatError, CodatRateLimited, CodatRefused, CodatUnavailable
from tests.processor.codat.bench import Bench, Calls

READING = (
    "get_company", "find_companies", "find_company_by_tag", "get_connection", "list_connections",
    "get_data_status", "get_account_name", "get_history", "list_integrations", "get_branding",
    "list_webhooks", "ping",
)  # fmt: skip
WRITING = (
    "create_company", "delete_company", "create_connection", "unlink", "delete_connection",
    "create_webhook", "delete_webhook", "read_again", "add_product", "remove_product", "refresh_product",
)  # fmt: skip


READ, WRITE = "list_webhooks", "create_company"
"""Each stands for its kind where a case is about statuses and bodies: the rule below holds for every call."""


def test_no_call_is_left_out_of_these_tests(reading: Calls, writing: Calls) -> None:
    public = {name for name in vars(CodatClient) if not name.startswith("_")} - {"close"}

    assert set(reading) == set(READING)
    assert set(writing) == set(WRITING)
    assert public == {*READING, *WRITING}


@pytest.mark.parametrize("call", READING)
def test_every_call_that_reads_is_tried_twice_more_and_keeps_what_codat_said(
    bench: Bench, reading: Calls, call: str
) -> None:
    bench.router.route().mock(return_value=bench.error(500))

    with pytest.raises(CodatFailing) as caught:
        reading[call]()

    assert (caught.value.codat_status, caught.value.correlation_id) == (500, "corr-1")
    assert {request.method for request in bench.calls()} == {"GET"}
    assert (len(bench.calls()), bench.pauses) == (3, [0.2, 0.4])


@pytest.mark.parametrize("call", WRITING)
def test_every_call_that_changes_something_is_sent_once_and_uncertain_without_an_answer(
    bench: Bench, writing: Calls, call: str
) -> None:
    bench.router.route().mock(side_effect=httpx.ReadTimeout("slow"))

    with pytest.raises(CodatUncertain):
        writing[call]()

    assert "GET" not in {request.method for request in bench.calls()}
    assert (len(bench.calls()), bench.pauses) == (1, [])


@pytest.mark.parametrize("call", READING + WRITING)
def test_every_call_tells_a_refusal_and_never_repeats_it(
    bench: Bench, reading: Calls, writing: Calls, call: str
) -> None:
    bench.router.route().mock(return_value=bench.error(422, "The account says no"))

    with pytest.raises(CodatRefused) as caught:
        {**reading, **writing}[call]()

    assert "The account says no" in caught.value.detail
    assert (len(bench.calls()), bench.pauses) == (1, [])


REFUSALS = {
    400: CodatRefused,
    401: CodatRefused,
    402: CodatRefused,
    403: CodatRefused,
    404: CodatNotFound,
    409: CodatConflict,
    422: CodatRefused,
}


@pytest.mark.parametrize("call", [READ, WRITE])
@pytest.mark.parametrize("status", REFUSALS)
def test_a_refusal_is_told_with_codats_words_and_never_repeated(
    bench: Bench, reading: Calls, writing: Calls, call: str, status: int
) -> None:
    bench.router.route().mock(return_value=bench.error(status, "The account says no"))

    with pytest.raises(CodatError) as caught:
        {**reading, **writing}[call]()

    error = caught.value
    assert type(error) is REFUSALS[status]
    assert isinstance(error, CodatRefused)
    assert error.codat_status == status
    assert error.correlation_id == "corr-1"
    assert "The account says no" in error.detail
    assert error.problem()["correlation_id"] == "corr-1"
    assert (len(bench.calls()), bench.pauses) == (1, [])


def test_a_read_that_is_going_on_already_is_no_refusal(bench: Bench, writing: Calls) -> None:
    bench.router.route().mock(return_value=bench.error(409))

    assert writing["read_again"]() is None


@pytest.mark.parametrize("call", [READ, WRITE])
def test_the_rate_limit_says_how_long_to_wait(
    bench: Bench, reading: Calls, writing: Calls, call: str
) -> None:
    bench.router.route().mock(return_value=bench.error(429, "Slow down", Retry_After="17"))

    with pytest.raises(CodatRateLimited) as caught:
        {**reading, **writing}[call]()

    assert caught.value.retry_after_s == 17
    assert caught.value.headers() == {"Retry-After": "17"}
    assert len(bench.calls()) == 1


def test_a_rate_limit_without_retry_after_lasts_until_the_quota_is_full_again(bench: Bench) -> None:
    bench.router.route().mock(
        return_value=bench.error(
            429, X_Rate_Limit_Limit="1000", X_Rate_Limit_Remaining="0", X_Rate_Limit_Reset="1795564800"
        )
    )

    with pytest.raises(CodatRateLimited) as caught:
        bench.client.list_webhooks()

    until_midnight_s = (datetime(2026, 11, 25, tzinfo=UTC) - bench.theirs).total_seconds()
    assert caught.value.retry_after_s == min(until_midnight_s, 86_400)


def test_a_rate_limit_that_says_nothing_lasts_a_minute(bench: Bench) -> None:
    bench.router.route().mock(return_value=httpx.Response(429))

    with pytest.raises(CodatRateLimited) as caught:
        bench.client.list_webhooks()

    assert caught.value.retry_after_s == 60


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_reading_is_tried_twice_more_when_codat_fails(bench: Bench, reading: Calls, status: int) -> None:
    bench.router.route().mock(return_value=bench.error(status))

    with pytest.raises(CodatFailing) as caught:
        reading[READ]()

    assert caught.value.codat_status == status
    assert caught.value.correlation_id == "corr-1"
    assert len(bench.calls()) == 3
    assert bench.pauses == [0.2, 0.4]


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.WriteError("reset"),
        httpx.RemoteProtocolError("hung up"),
        httpx.PoolTimeout("busy"),
    ],
)
def test_reading_succeeds_when_the_trouble_passes(bench: Bench, trouble: Any) -> None:
    bench.answers("GET", f"/companies/{bench.company_id}", trouble, trouble, bench.json(bench.company()))

    assert bench.client.get_company(bench.company_id).id == bench.company_id
    assert len(bench.calls()) == 3


@pytest.mark.parametrize("call", [READ, WRITE])
@pytest.mark.parametrize("trouble", [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow")])
def test_what_never_left_us_is_tried_again_and_certainly_not_made(
    bench: Bench, reading: Calls, writing: Calls, call: str, trouble: Any
) -> None:
    bench.router.route().mock(side_effect=trouble)

    with pytest.raises(CodatUnavailable) as caught:
        {**reading, **writing}[call]()

    assert type(caught.value) is CodatUnavailable
    assert len(bench.calls()) == 3


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ReadTimeout("slow"),
        httpx.WriteTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.WriteError("reset"),
        httpx.RemoteProtocolError("hung up"),
    ],
)
def test_a_change_whose_answer_was_lost_is_uncertain_and_not_repeated(
    bench: Bench, writing: Calls, trouble: Any
) -> None:
    bench.router.route().mock(side_effect=trouble)

    with pytest.raises(CodatUncertain):
        writing[WRITE]()

    assert (len(bench.calls()), bench.pauses) == (1, [])


@pytest.mark.parametrize("status", [503, 520, 522, 524])
def test_a_change_at_which_something_on_the_way_failed_is_uncertain(
    bench: Bench, writing: Calls, status: int
) -> None:
    """A proxy that gave up waiting for Codat answered 524, and the change counted as not made."""
    bench.router.route().mock(return_value=httpx.Response(status, text="<h1>a proxy</h1>"))
    with pytest.raises(CodatUncertain):
        writing[WRITE]()
    assert len(bench.calls()) == 1


@pytest.mark.parametrize(
    ("status", "kind"), [(500, CodatUncertain), (502, CodatUncertain), (503, CodatFailing)]
)
def test_a_change_is_not_repeated_when_codat_fails(
    bench: Bench, writing: Calls, status: int, kind: type[CodatError]
) -> None:
    bench.router.route().mock(return_value=bench.error(status))

    with pytest.raises(CodatUnavailable) as caught:
        writing[WRITE]()

    assert type(caught.value) is kind
    assert caught.value.correlation_id == "corr-1"
    assert len(bench.calls()) == 1


def test_maintenance_that_lasts_is_not_waited_for(bench: Bench) -> None:
    bench.router.route().mock(return_value=bench.error(503, Retry_After="120"))

    with pytest.raises(CodatFailing) as caught:
        bench.client.list_webhooks()

    assert caught.value.retry_after_s == 120
    assert (len(bench.calls()), bench.pauses) == (1, [])


def test_a_short_retry_after_is_kept_to(bench: Bench) -> None:
    bench.answers("GET", "/webhooks", bench.error(503, Retry_After="1"), bench.json({"results": []}))

    assert bench.client.list_webhooks() == []
    assert bench.pauses == [1.0]


def test_the_budget_ends_the_retries() -> None:
    passed = [0.0]

    def slow(_: httpx.Request) -> httpx.Response:
        passed[0] += 6.0
        raise httpx.ReadTimeout("slow")

    calls: list[float] = []
    with (
        CodatClient(
            CodatHttp(
                api_key="k",
                budget_s=10.0,
                transport=httpx.MockTransport(slow),
                sleep=calls.append,
                monotonic=lambda: passed[0],
            )
        ) as client,
        pytest.raises(CodatUnavailable),
    ):
        client.list_webhooks()

    assert (passed, len(calls)) == ([12.0], 1)


def test_an_answer_that_drips_ends_with_the_budget() -> None:
    passed = [0.0]

    class Drip(httpx.SyncByteStream):
        def __iter__(self):
            while True:
                passed[0] += 1.0
                yield b" "

    def drip(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Drip())

    with (
        CodatClient(
            CodatHttp(
                api_key="k",
                budget_s=10.0,
                transport=httpx.MockTransport(drip),
                sleep=lambda _: None,
                monotonic=lambda: passed[0],
            )
        ) as client,
        pytest.raises(CodatUnavailable),
    ):
        client.list_webhooks()

    assert passed == [11.0]


@pytest.mark.parametrize("call", ["list_webhooks", "create_company"])
@pytest.mark.parametrize("trouble", [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), 401, 500, "{"])
def test_the_key_is_in_no_error_and_no_log_line(
    bench: Bench, reading: Calls, writing: Calls, call: str, trouble: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    encoded = base64.b64encode(bench.api_key.encode()).decode()
    if isinstance(trouble, Exception):
        bench.router.route().mock(side_effect=trouble)
    elif isinstance(trouble, int):
        bench.router.route().mock(return_value=bench.error(trouble, f"Bad {bench.api_key}: Basic {encoded}"))
    else:
        bench.router.route().mock(return_value=httpx.Response(200, text=trouble + encoded))

    with pytest.raises(CodatError) as caught:
        {**reading, **writing}[call]()

    error = caught.value
    shown = "".join(traceback.format_exception(error)) + repr(error) + str(error.problem()) + caplog.text
    assert bench.api_key not in shown
    assert encoded not in shown


@pytest.mark.parametrize("base_url", ["ftp://codat.example", "codat.example", "https://exa mple:99999", ""])
def test_a_wrong_address_is_one_clear_error(base_url: str) -> None:
    with (
        CodatClient(CodatHttp(api_key="k", base_url=base_url, sleep=lambda _: None)) as client,
        pytest.raises(CodatUnavailable),
    ):
        client.list_webhooks()


def test_a_real_refused_connection_is_one_clear_error() -> None:
    with (
        CodatClient(CodatHttp(api_key="k", base_url="http://127.0.0.1:9", sleep=lambda _: None)) as client,
        pytest.raises(CodatUnavailable),
    ):
        client.create_company("x")


def test_a_change_that_finds_no_free_connection_was_never_sent(bench: Bench, writing: Calls) -> None:
    bench.router.route().mock(side_effect=httpx.PoolTimeout("busy"))

    with pytest.raises(CodatUnavailable) as caught:
        writing[WRITE]()

    assert type(caught.value) is CodatUnavailable
    assert (len(bench.calls()), bench.pauses) == (1, [])
