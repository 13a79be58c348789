"""Slow, broken and hostile responses, and TLS."""

import asyncio
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Any, cast

import pytest

from processor.delivery.http_connection import HttpConnection
from tests.support.certificates import serving_as, trusting
from tests.support.service import until
from tests.workers.delivery.post import Post
from tests.workers.delivery.receiving import WAIT_S, MakeReceiver, nobody, status


def dripping(handler: BaseHTTPRequestHandler) -> None:
    """A head at once, then a byte now and then for ever."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    _drip(handler)


def dripping_head(handler: BaseHTTPRequestHandler) -> None:
    """Not even the head is ever complete."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    _drip(handler)


def _drip(handler: BaseHTTPRequestHandler) -> None:
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        handler.wfile.write(b".")
        time.sleep(0.02)


def huge(handler: BaseHTTPRequestHandler) -> None:
    """100 MB, as fast as they are taken."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(100 * 1024 * 1024))
    handler.end_headers()
    sent = 0
    part = b"x" * 65536
    try:
        for _ in range(1600):
            handler.wfile.write(part)
            sent += len(part)
    finally:
        cast(Any, handler.server).sent = sent


def test_who_never_answers_is_left_after_the_limit(post: Post, receiver: MakeReceiver) -> None:
    heard = receiver()
    heard.gate.clear()
    mine, id_ = post.subscribe(heard.url), post.decide()

    post.dispatcher(total_s=0.3).run_once()

    (made,) = post.attempts(id_)
    assert (made["status_code"], made["error"]) == (None, "no answer within 0.3 s")
    assert post.waiting(mine.id) == {id_: 5.0}


def test_a_head_that_comes_byte_by_byte_is_left_after_the_limit(post: Post, receiver: MakeReceiver) -> None:
    mine, id_ = post.subscribe(receiver(dripping_head).url), post.decide()

    post.dispatcher(total_s=0.5).run_once()

    (made,) = post.attempts(id_)
    assert (made["status_code"], made["error"]) == (None, "no answer within 0.5 s")
    assert post.waiting(mine.id) == {id_: 5.0}


def test_a_body_that_comes_byte_by_byte_does_not_hold_up_a_success(
    post: Post, receiver: MakeReceiver
) -> None:
    mine, id_ = post.subscribe(receiver(dripping).url), post.decide()

    post.dispatcher(body_s=0.2).run_once()

    assert post.status(id_, mine.id) == "delivered"


def test_a_success_whose_body_outlives_the_limit_is_a_success(
    post: Post, receiver: MakeReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the limit is reached as soon as the head has come, however long that took."""
    mine, id_ = post.subscribe(receiver(dripping).url), post.decide()
    real, send, limits = asyncio.timeout, HttpConnection.send, []

    def limit(seconds: float) -> Any:
        limits.append(real(seconds))
        return limits[-1]

    async def late(self: Any, request: bytes) -> Any:
        response = await send(self, request)
        limits[0].reschedule(asyncio.get_running_loop().time())
        return response

    monkeypatch.setattr(asyncio, "timeout", limit)
    monkeypatch.setattr(HttpConnection, "send", late)

    post.dispatcher(body_s=0.2).run_once()

    assert post.status(id_, mine.id) == "delivered"


def test_of_100_mb_only_the_excerpt_is_read(post: Post, receiver: MakeReceiver) -> None:
    heard = receiver(huge)
    mine, id_ = post.subscribe(heard.url), post.decide()

    post.dispatcher().run_once()

    assert post.status(id_, mine.id) == "delivered"
    (made,) = post.attempts(id_)
    assert made["answer"] == "x" * 1024
    until(lambda: hasattr(heard._server, "sent"))
    assert cast(Any, heard._server).sent < 100 * 1024 * 1024


def test_an_endless_head_is_refused(post: Post, receiver: MakeReceiver) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            handler.wfile.write(b"X-More: " + b"x" * 8000 + b"\r\n")

    mine, id_ = post.subscribe(receiver(endless).url), post.decide()

    post.dispatcher(total_s=5.0).run_once()

    assert post.status(id_, mine.id) == "pending"


def test_nobody_listening_is_a_failure_like_any_other(post: Post) -> None:
    with nobody() as url:
        mine, id_ = post.subscribe(url), post.decide()
        post.dispatcher().run_once()

    (made,) = post.attempts(id_)
    assert made["status_code"] is None
    assert made["error"].startswith("ConnectError")
    assert post.waiting(mine.id) == {id_: 5.0}


def test_what_is_no_http_is_a_failure_like_any_other(post: Post) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as caller:
                caller.recv(65536)
                caller.sendall(b"220 mail.example.test ESMTP\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        mine = post.subscribe(f"http://127.0.0.1:{server.getsockname()[1]}/")
        id_ = post.decide()
        post.dispatcher().run_once()
        thread.join()

    assert post.status(id_, mine.id) == "pending"


def test_tls_with_the_right_name_is_accepted(post: Post, receiver: MakeReceiver) -> None:
    heard = receiver(tls=serving_as("hook"))
    mine = post.subscribe(f"https://hook.test:{heard.port}/hook")
    id_ = post.decide()

    post.dispatcher(tls=trusting(), resolver=lambda *_: ["127.0.0.1"]).run_once()

    assert post.status(id_, mine.id) == "delivered"
    assert heard.received[0].headers["host"] == f"hook.test:{heard.port}"


@pytest.mark.parametrize("certificate", ["other", "unknown"])
def test_a_broken_certificate_is_never_accepted(post: Post, receiver: MakeReceiver, certificate: str) -> None:
    """One for another name, or of an authority that nobody trusts."""
    heard = receiver(tls=serving_as("other" if certificate == "other" else "hook"))
    mine = post.subscribe(f"https://hook.test:{heard.port}/hook")
    id_ = post.decide()
    tls = trusting() if certificate == "other" else None

    post.dispatcher(tls=tls, resolver=lambda *_: ["127.0.0.1"]).run_once()

    (made,) = post.attempts(id_)
    assert "certificate verify failed" in made["error"].lower()
    assert heard.received == []
    assert post.waiting(mine.id) == {id_: 5.0}


def test_zero_bytes_and_broken_text_in_an_answer_do_no_harm(post: Post, receiver: MakeReceiver) -> None:
    heard = receiver(status(500, b"\x00\xff\xfe \xe2\x82"))
    id_ = (post.subscribe(heard.url), post.decide())[1]

    post.dispatcher().run_once()

    (made,) = post.attempts(id_)
    assert "\x00" not in made["answer"]
