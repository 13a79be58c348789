"""An answer of Codat that cannot be used is one clear error, and what Codat itself said is kept."""

import gzip
import json

import httpx
import pytest

from processor.codat.errors import CodatFailing, CodatNotFound, CodatUncertain, CodatUnusable
from processor.errors import CodatRefused
from tests.processor.codat.bench import Bench, Calls
from tests.processor.codat.test_failures import READING


@pytest.mark.parametrize(
    ("call", "content"),
    [
        (call, content)
        for call in READING
        for content in (b"", b"7", b'{"results": [{}], "totalResults": 1}')
        if content[:1] != b"{"
        or call not in ("get_branding", "get_account_name")  # no picture, and no name, are answers
    ],
)
def test_every_call_that_reads_refuses_an_answer_that_it_cannot_use(
    bench: Bench, reading: Calls, call: str, content: bytes
) -> None:
    bench.router.route().mock(return_value=httpx.Response(200, content=content))

    with pytest.raises(CodatUnusable):
        reading[call]()

    assert len(bench.calls()) == 1


@pytest.mark.parametrize("call", ["list_webhooks", "get_company"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"7",
        b"[]",
        b'"text"',
        b"{",
        b"<html></html>",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"results": {}}',
        b'{"results": null}',
        b'{"results": [7]}',
        b'{"results": [{}], "totalResults": 1}',
        b"1" * 5_000,
    ],
)
def test_an_answer_that_cannot_be_used_is_one_clear_error(
    bench: Bench, reading: Calls, call: str, content: bytes
) -> None:
    bench.router.route().mock(return_value=httpx.Response(200, content=content))

    with pytest.raises(CodatUnusable) as caught:
        reading[call]()

    assert "html" not in caught.value.detail
    assert len(bench.calls()) == 1


@pytest.mark.parametrize("missing", ["id", "status"])
@pytest.mark.parametrize("value", [None, 7, "", {}, "Sleeping\ud800"])
def test_a_connection_without_its_essentials_is_no_answer(bench: Bench, missing: str, value: object) -> None:
    body = json.dumps(bench.connection(**{missing: value}))
    bench.router.route().mock(return_value=httpx.Response(200, content=body))

    with pytest.raises(CodatUnusable) as caught:
        bench.client.get_connection(bench.company_id, bench.connection_id)

    assert missing in caught.value.detail


def test_an_answer_without_end_is_cut_off(bench: Bench) -> None:
    packed = gzip.compress(b" " * 3_000_000)
    bench.router.route().mock(
        return_value=httpx.Response(200, content=packed, headers={"Content-Encoding": "gzip"})
    )

    with bench.make_client(max_response_bytes=1_000_000) as client:
        with pytest.raises(CodatUnusable):
            client.list_webhooks()
        with pytest.raises(CodatUncertain):
            client.delete_company(bench.company_id)


def test_an_answer_that_is_packed_wrongly_cannot_be_used(bench: Bench) -> None:
    class Bad(httpx.SyncByteStream):
        def __iter__(self):
            yield b"not gzip"

    bench.router.route().mock(
        side_effect=lambda _: httpx.Response(200, stream=Bad(), headers={"Content-Encoding": "gzip"})
    )

    with pytest.raises(CodatUnusable):
        bench.client.list_webhooks()


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, html="<h1>Not here</h1>"),
        httpx.Response(404),
        httpx.Response(404, json={"message": "no Route matched with those values"}),
        httpx.Response(404, json=["statusCode", 404]),
        httpx.Response(404, json={"statusCode": 502, "correlationId": "x"}),
        httpx.Response(404, json={"statusCode": True, "correlationId": 7}),
        httpx.Response(301, headers={"Location": "https://elsewhere.example/"}),
        httpx.Response(408),
    ],
)
@pytest.mark.parametrize("call", ["get_connection", "delete_connection"])
def test_somebody_elses_404_or_redirect_is_no_word_of_codats(
    bench: Bench, reading: Calls, writing: Calls, call: str, answer: httpx.Response
) -> None:
    bench.router.route().mock(return_value=answer)

    with pytest.raises(CodatFailing) as caught:
        {**reading, **writing}[call]()

    assert caught.value.codat_status == answer.status_code
    assert len(bench.calls()) == 1


@pytest.mark.parametrize(
    "body",
    [{"statusCode": 404}, {"statusCode": "404"}, {"correlationId": "c"}, {"statusCode": 404, "error": 7}],
)
def test_codats_own_404_tells_when_it_was_said(bench: Bench, body: dict[str, object]) -> None:
    bench.router.route().mock(return_value=bench.json(body, 404))

    with pytest.raises(CodatNotFound) as caught:
        bench.client.get_company(bench.company_id)

    assert (caught.value.asked_at, caught.value.timed) == (bench.theirs, True)


def test_what_codat_found_wrong_with_the_fields_is_told(bench: Bench) -> None:
    body = {
        "statusCode": 400,
        "error": "One or more fields are wrong",
        "validation": {"errors": [{"itemId": "name", "message": "Name is required"}, 7, {"message": None}]},
    }
    bench.router.route().mock(return_value=bench.json(body, 400))

    with pytest.raises(CodatRefused) as caught:
        bench.client.create_company("x")

    assert caught.value.detail.endswith("One or more fields are wrong · Name is required")
