"""Slow, broken and hostile responses, and TLS."""

import asyncio
import socket
import threading
import time

import pytest

from processor.delivery import http_sender
from tests.support.certificates import serving_as, trusting
from tests.support.service import until
from tests.workers.delivery.receiving import WAIT_S, nobody, status


def dripping(handler):
    """A head at once, then a byte now and then for ever."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    _drip(handler)


def dripping_head(handler):
    """Not even the head is ever complete."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    _drip(handler)


def _drip(handler):
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        handler.wfile.write(b".")
        time.sleep(0.02)


def huge(handler):
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
        handler.server.sent = sent


def test_who_never_answers_is_left_after_the_limit(post, receiver):
    heard = receiver()
    heard.gate.clear()
    mine, id_ = post.subscribe(heard.url), post.decide()

    post.dispatcher(total_s=0.3).run_once()

    (made,) = post.attempts(id_)
    assert (made["status_code"], made["error"]) == (None, "no answer within 0.3 s")
    assert post.waiting(mine.id) == {id_: 5.0}


def test_a_head_that_comes_byte_by_byte_is_left_after_the_limit(post, receiver):
    mine, id_ = post.subscribe(receiver(dripping_head).url), post.decide()

    post.dispatcher(total_s=0.5).run_once()

    (made,) = post.attempts(id_)
    assert (made["status_code"], made["error"]) == (None, "no answer within 0.5 s")
    assert post.waiting(mine.id) == {id_: 5.0}


def test_a_body_that_comes_byte_by_byte_does_not_hold_up_a_success(post, receiver):
    mine, id_ = post.subscribe(receiver(dripping).url), post.decide()

    post.dispatcher(body_s=0.2).run_once()

    assert post.status(id_, mine.id) == "delivered"


def test_a_success_whose_body_outlives_the_limit_is_a_success(post, receiver, monkeypatch):
    """Here the limit is reached as soon as the head has come, however long that took."""
    mine, id_ = post.subscribe(receiver(dripping).url), post.decide()
    real, read, limits = asyncio.timeout, http_sender._excerpt, []

    def limit(seconds):
        limits.append(real(seconds))
        return limits[-1]

    async def late(response, limit_s):
        limits[0].reschedule(asyncio.get_running_loop().time())
        return await read(response, limit_s)

    monkeypatch.setattr(asyncio, "timeout", limit)
    monkeypatch.setattr(http_sender, "_excerpt", late)

    post.dispatcher().run_once()

    assert post.status(id_, mine.id) == "delivered"


def test_of_100_mb_only_the_excerpt_is_read(post, receiver):
    heard = receiver(huge)
    mine, id_ = post.subscribe(heard.url), post.decide()

    post.dispatcher().run_once()

    assert post.status(id_, mine.id) == "delivered"
    (made,) = post.attempts(id_)
    assert made["answer"] == "x" * 1024
    until(lambda: hasattr(heard._server, "sent"))
    assert heard._server.sent < 100 * 1024 * 1024


def test_an_endless_head_is_refused(post, receiver):
    def endless(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            handler.wfile.write(b"X-More: " + b"x" * 8000 + b"\r\n")

    mine, id_ = post.subscribe(receiver(endless).url), post.decide()

    post.dispatcher(total_s=5.0).run_once()

    assert post.status(id_, mine.id) == "pending"


def test_nobody_listening_is_a_failure_like_any_other(post):
    with nobody() as url:
        mine, id_ = post.subscribe(url), post.decide()
        post.dispatcher().run_once()

    (made,) = post.attempts(id_)
    assert made["status_code"] is None
    assert made["error"].startswith("ConnectError")
    assert post.waiting(mine.id) == {id_: 5.0}


def test_what_is_no_http_is_a_failure_like_any_other(post):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
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


def test_tls_with_the_right_name_is_accepted(post, receiver):
    heard = receiver(tls=serving_as("hook"))
    mine = post.subscribe(f"https://hook.test:{heard.port}/hook")
    id_ = post.decide()

    post.dispatcher(tls=trusting(), resolver=lambda *_: ["127.0.0.1"]).run_once()

    assert post.status(id_, mine.id) == "delivered"
    assert heard.received[0].headers["host"] == f"hook.test:{heard.port}"


@pytest.mark.parametrize("certificate", ["other", "unknown"])
def test_a_broken_certificate_is_never_accepted(post, receiver, certificate):
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


def test_zero_bytes_and_broken_text_in_an_answer_do_no_harm(post, receiver):
    heard = receiver(status(500, b"\x00\xff\xfe \xe2\x82"))
    id_ = (post.subscribe(heard.url), post.decide())[1]

    post.dispatcher().run_once()

    (made,) = post.attempts(id_)
    assert "\x00" not in made["answer"]
