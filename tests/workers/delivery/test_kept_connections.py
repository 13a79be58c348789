"""Connections to receivers that are kept alive: by whom they are used, and when they are not used again."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from processor.delivery import http_connection, http_sender
from processor.delivery.http_sender import HttpSender
from tests.support.certificates import serving_as, trusting
from tests.workers.delivery.post import Post
from tests.workers.delivery.receiving import WAIT_S, MakeReceiver, hang_up, status


def post_in_turn(*urls: str, owners: tuple[str, ...] = (), **how: Any) -> list[Any]:
    """The responses to one request after the other; with one owner, or one for each request."""
    how = {"allow_private": True, "resolver": lambda *_: ["127.0.0.1"], **how}

    async def run() -> list[Any]:
        sender = HttpSender(lookups=ThreadPoolExecutor(1), total_s=WAIT_S, body_s=WAIT_S, **how)
        headers = {"webhook-id": "ntf_1"}
        try:
            return [
                await sender.post(url, b"{}", headers, owner=owner)
                for url, owner in zip(urls, owners or [""] * len(urls), strict=True)
            ]
        finally:
            sender.close()

    return asyncio.run(run())


def test_webhooks_in_turn_share_one_connection(post: Post, receiver: MakeReceiver) -> None:
    heard = receiver(status(200, b"thank you"), keeps_alive=True)
    post.subscribe(heard.url, ordered=True)
    ids = [post.decide() for _ in range(10)]

    assert post.dispatcher().run_once() == 10

    assert heard.ids == ids
    assert len(heard.callers) == 1


def test_tls_connections_are_kept_too(receiver: MakeReceiver) -> None:
    heard = receiver(keeps_alive=True, tls=serving_as("hook"))
    url = f"https://hook.test:{heard.port}/hook"

    assert [response.status for response in post_in_turn(url, url, tls=trusting())] == [204, 204]

    assert len(heard.callers) == 1


def test_two_names_with_one_address_never_share_a_connection(receiver: MakeReceiver) -> None:
    heard = receiver(keeps_alive=True)
    urls = [f"http://{name}.test:{heard.port}/" for name in ("one", "two", "one", "two")]

    post_in_turn(*urls)

    assert [got.headers["host"].partition(".")[0] for got in heard.received] == ["one", "two", "one", "two"]
    assert len(heard.callers) == 2


def test_two_subscribers_with_one_url_never_share_a_connection(receiver: MakeReceiver) -> None:
    heard = receiver(keeps_alive=True)

    post_in_turn(*[heard.url] * 4, owners=("one", "two", "one", "two"))

    assert len(heard.callers) == 2


def test_a_name_is_looked_up_for_each_connection_and_not_for_each_request(receiver: MakeReceiver) -> None:
    heard = receiver(keeps_alive=True)
    looks = []

    def resolver(host: str, _port: int) -> list[str]:
        looks.append(host)
        return ["127.0.0.1"]

    post_in_turn(*[f"http://hook.test:{heard.port}/"] * 3, resolver=resolver)

    assert looks == ["hook.test"]


def test_a_connection_that_is_too_old_is_not_used_again(
    receiver: MakeReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name leads elsewhere now, to an address that is refused."""
    monkeypatch.setattr(http_connection, "LONGEST_AGE_S", 0)
    monkeypatch.setattr(http_sender, "refusal", lambda address: None if address == "127.0.0.1" else "private")
    heard = receiver(keeps_alive=True)
    monkeypatch.setattr(http_sender, "PORTS", {heard.port})
    addresses = iter([["127.0.0.1"], ["127.0.0.2"]])

    first, second = post_in_turn(
        *[f"http://hook.test:{heard.port}/"] * 2,
        resolver=lambda *_: next(addresses),
        allow_private=False,
        allow_http=True,
    )

    assert (first.status, second.error) == (204, "the address 127.0.0.2 is refused: private")
    assert len(heard.received) == 1


def test_a_connection_is_closed_when_it_was_idle_for_too_long(
    receiver: MakeReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_connection, "IDLE_S", 0)
    heard = receiver(keeps_alive=True)

    async def run() -> None:
        sender = HttpSender(allow_private=True, lookups=ThreadPoolExecutor(1))
        await sender.post(heard.url, b"", {"webhook-id": "ntf_1"})
        ((connection, _),) = next(iter(sender._pool._idle.values()))
        async with asyncio.timeout(WAIT_S):
            while sender._pool._idle:
                await asyncio.sleep(0)
        assert not connection.is_open

    asyncio.run(run())


def test_the_timer_that_closes_one_idle_connection_goes_on_for_the_others(
    receiver: MakeReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = receiver(keeps_alive=True)

    async def run() -> None:
        sender = HttpSender(allow_private=True, lookups=ThreadPoolExecutor(1))
        for owner, idle_s in (("one", 0.1), ("two", 0.3)):
            monkeypatch.setattr(http_connection, "IDLE_S", idle_s)
            await sender.post(heard.url, b"", {"webhook-id": "ntf_1"}, owner=owner)
        async with asyncio.timeout(WAIT_S):
            while sender._pool._idle:
                await asyncio.sleep(0.01)
        await sender.post(heard.url, b"", {"webhook-id": "ntf_1"}, owner="two")
        assert sender._pool._expiry is not None
        sender.close()

    asyncio.run(run())
    assert len(heard.callers) == 3


def test_a_kept_connection_that_the_receiver_closed_is_no_failure(receiver: MakeReceiver) -> None:
    heard = receiver(keeps_alive=True)
    heard.answers.extend([status(204), hang_up, status(204)])

    responses = post_in_turn(heard.url, heard.url)

    assert [(response.status, response.error) for response in responses] == [(204, None)] * 2
    assert len(heard.callers) == 2


def test_a_new_connection_that_the_receiver_closed_is_a_failure(receiver: MakeReceiver) -> None:
    heard = receiver(keeps_alive=True)
    heard.answers.extend([status(204), hang_up, hang_up])

    first, second = post_in_turn(heard.url, heard.url)

    assert (first.status, second.status) == (204, None)
    assert "closed" in second.error
    assert len(heard.received) == 3


def test_an_answer_that_breaks_off_is_a_failure(receiver: MakeReceiver) -> None:
    def break_off(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 2")
        hang_up(handler)

    heard = receiver(keeps_alive=True)
    heard.answers.extend([status(204), break_off])

    first, second = post_in_turn(heard.url, heard.url)

    assert (first.status, second.status) == (204, None)
    assert len(heard.received) == 2


def test_what_comes_unasked_ends_the_connection(receiver: MakeReceiver) -> None:
    """A second answer to one request would be taken for that of the next."""

    def twice(handler: BaseHTTPRequestHandler) -> None:
        answer = b"HTTP/1.1 204 No Content\r\n\r\n"
        handler.wfile.write(answer + answer)

    heard = receiver(keeps_alive=True)
    heard.answers.extend([twice, status(500)])

    first, second = post_in_turn(heard.url, heard.url)

    assert (first.status, second.status) == (204, 500)
    assert len(heard.callers) == 2


def test_a_status_that_only_announces_the_response_is_not_the_response(receiver: MakeReceiver) -> None:
    def announced(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        status(500)(handler)

    heard = receiver(announced, keeps_alive=True)

    assert [response.status for response in post_in_turn(heard.url, heard.url)] == [500, 500]
    assert len(heard.callers) == 1


def test_a_header_never_spans_lines(receiver: MakeReceiver) -> None:
    heard = receiver()

    async def run() -> Any:
        sender = HttpSender(allow_private=True, lookups=ThreadPoolExecutor(1))
        return await sender.post(heard.url, b"", {"X-Own": "a\r\nX-Other: b"})

    assert "more than one line" in asyncio.run(run()).error
    assert heard.received == []
