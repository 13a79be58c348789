"""Where a name leads: resolved once, refused unless every address is public, connected to as is."""

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from processor.delivery.http_sender import HttpSender
from processor.resources import serializers
from tests.support.certificates import serving_as, trusting
from tests.workers.delivery.post import Post
from tests.workers.delivery.receiving import MakeReceiver

PUBLIC = "93.184.215.14"


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The addresses to which connections are opened; nothing leaves this machine."""
    opened: list[str] = []
    real = asyncio.BaseEventLoop.create_connection

    async def note(self, factory: Any, host: str, *rest: Any, **how: Any) -> Any:
        opened.append(host)
        if host not in ("127.0.0.1", "::1"):
            raise OSError("nothing leaves this machine")
        return await real(self, factory, host, *rest, **how)

    monkeypatch.setattr(asyncio.BaseEventLoop, "create_connection", note)
    return opened


def error_of(post: Post, id_: str) -> Any:
    notification = post.reader.notification(id_)
    assert notification is not None
    (delivery,) = serializers.notification(notification)["deliveries"]
    return delivery["attempts"][-1]["error"]


def deliver(post: Post, addresses: list[str], **how: Any) -> Any:
    """One attempt to a name that has these addresses; the error."""
    post.subscribe("https://hook.test/hook")
    id_ = post.decide()
    post.dispatcher(resolver=lambda *_: addresses, allow_private=False, **how).run_once()
    return error_of(post, id_)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "::1", "fd00::1", "64:ff9b::7f00:1",
     "2002:7f00:1::", "192.88.99.1", "fec0::1", "::127.0.0.1", "::ffff:10.0.0.1", "fe80::1%eth0",
     "100.64.0.1", "0.0.0.0", "224.0.0.1"],
)  # fmt: skip
def test_a_name_with_a_private_address_is_refused(post: Post, connected: list[str], address: str) -> None:
    assert f"the address {address} is refused" in deliver(post, [address])
    assert connected == []


@pytest.mark.parametrize("addresses", [[PUBLIC, "10.0.0.1"], ["::1", PUBLIC], [PUBLIC] * 9 + ["127.0.0.1"]])
def test_a_name_with_both_a_public_and_a_private_address_is_refused(
    post: Post, connected: list[str], addresses: list[str]
) -> None:
    assert "is refused" in deliver(post, addresses)
    assert connected == []


def test_a_public_address_is_connected_to(post: Post, connected: list[str]) -> None:
    assert "nothing leaves" in deliver(post, [PUBLIC])
    assert connected == [PUBLIC]


def test_the_next_address_is_tried_when_one_does_not_answer(post: Post, connected: list[str]) -> None:
    deliver(post, [PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
    assert connected == [PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]


def test_a_name_that_leads_elsewhere_at_the_second_look_is_looked_up_once_only(
    post: Post, connected: list[str]
) -> None:
    """Rebinding: public when it is checked, private when it is connected to."""
    looks = []

    def rebinding(host: str, _port: int) -> Any:
        looks.append(host)
        return [PUBLIC] if len(looks) == 1 else ["127.0.0.1"]

    mine = post.subscribe("https://hook.test/hook")
    id_ = post.decide()
    dispatcher = post.dispatcher(resolver=rebinding, allow_private=False)
    dispatcher.run_once()

    assert (looks, connected) == (["hook.test"], [PUBLIC])
    post.forward(5)
    dispatcher.run_once()
    assert "the address 127.0.0.1 is refused" in error_of(post, id_)
    assert connected == [PUBLIC]
    assert post.status(id_, mine.id) == "pending"


def test_the_connection_goes_to_the_very_address_while_host_and_tls_keep_the_name(
    post: Post, receiver: MakeReceiver, connected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", _no_lookup(socket.getaddrinfo))
    heard = receiver(tls=serving_as("hook"))
    post.subscribe(f"https://hook.test:{heard.port}/a?b=c")
    post.decide()

    post.dispatcher(tls=trusting(), resolver=lambda *_: ["127.0.0.1"]).run_once()

    assert connected == ["127.0.0.1"]
    (got,) = heard.received
    assert (got.headers["host"], got.path) == (f"hook.test:{heard.port}", "/a?b=c")


def _no_lookup(real: Any) -> Any:
    def lookup(host: str, *rest: Any, **more: Any) -> Any:
        assert host not in ("hook.test", b"hook.test"), "the name was looked up again"
        return real(host, *rest, **more)

    return lookup


def test_no_proxy_of_the_environment_is_used(
    post: Post, receiver: MakeReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = receiver()
    for name in ("http_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    heard = receiver()
    mine = post.subscribe(heard.url.replace("127.0.0.1", "hook.test"))
    id_ = post.decide()

    post.dispatcher(resolver=lambda *_: ["127.0.0.1"]).run_once()

    assert post.status(id_, mine.id) == "delivered"
    assert proxy.received == []


def test_two_names_with_one_address_do_not_share_a_connection(post: Post, receiver: MakeReceiver) -> None:
    callers = set()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        callers.add(handler.connection)
        handler.send_response(204)
        handler.end_headers()

    heard = receiver(answer)
    for name in ("one.test", "two.test"):
        post.subscribe(heard.url.replace("127.0.0.1", name))
    for number in range(3):
        post.decide(f"connection-{number}")

    post.dispatcher(resolver=lambda *_: ["127.0.0.1"]).run_once()

    assert len(callers) == len(heard.received) == 6
    assert {got.headers["host"].partition(":")[0] for got in heard.received} == {"one.test", "two.test"}


@pytest.mark.parametrize("port", [22, 25, 6379, 11211, 1, 65535])
def test_odd_ports_are_refused_even_where_one_was_set_before_the_rule(
    post: Post, connected: list[str], port: int
) -> None:
    post.subscribe(f"https://hook.test:{port}/")
    id_ = post.decide()
    post.dispatcher(resolver=lambda *_: [PUBLIC], allow_private=False).run_once()

    assert error_of(post, id_) == f"the port {port} is not allowed"
    assert connected == []


def test_an_address_without_tls_is_refused_even_where_it_was_set_before_the_rule(
    post: Post, connected: list[str]
) -> None:
    """ALLOW_HTTP_SUBSCRIBERS was switched off."""
    post.subscribe("http://hook.test/")
    id_ = post.decide()
    post.dispatcher(resolver=lambda *_: [PUBLIC], allow_private=False).run_once()

    assert error_of(post, id_) == "http:// is not allowed (ALLOW_HTTP_SUBSCRIBERS allows it)"
    assert connected == []


@pytest.mark.parametrize("failure", [socket.gaierror(-2, "Name or service not known"), UnicodeError("x")])
def test_a_name_that_nobody_knows_is_a_failure_like_any_other(post: Post, failure: Any) -> None:
    def unknown(_host: str, _port: int) -> list[str]:
        raise failure

    post.subscribe("https://hook.test/")
    id_ = post.decide()
    post.dispatcher(resolver=unknown).run_once()

    assert "the name could not be looked up" in error_of(post, id_)


def test_a_name_without_an_address_is_refused(post: Post) -> None:
    assert deliver(post, []) == "the name has no address"


def test_a_look_up_that_hangs_is_left_after_the_limit_and_shared() -> None:
    """Ten attempts to one name cost one thread."""
    release, looks = threading.Event(), []

    def hanging(host: str, _port: int) -> Any:
        looks.append(host)
        release.wait(60)
        return [PUBLIC]

    pool = ThreadPoolExecutor(8)
    sender = HttpSender(allow_private=False, lookups=pool, resolver=hanging, total_s=0.3)

    async def ten() -> Any:
        return await asyncio.gather(*(sender.post("https://hook.test/", b"", {}) for _ in range(10)))

    async def run() -> Any:
        result = await ten()
        release.set()
        return result

    answers = asyncio.run(run())
    pool.shutdown()
    assert {answer.error for answer in answers} == {"no answer within 0.3 s"}
    assert looks == ["hook.test"]


def test_a_look_up_that_outlives_its_loop_does_not_answer_for_the_next() -> None:
    """Until then every attempt to that host ended with "attached to a different loop"."""
    gate, asked = threading.Event(), []

    def resolver(host: str, _: object) -> Any:
        asked.append(host)
        assert len(asked) > 1 or gate.wait(60)
        return ["127.0.0.1"]

    with ThreadPoolExecutor(2) as lookups:
        outgoing = HttpSender(allow_private=True, lookups=lookups, resolver=resolver, total_s=60)

        async def leave() -> None:
            looking = asyncio.ensure_future(outgoing._addresses("receiver.test", 443))
            await asyncio.sleep(0)
            looking.cancel()

        asyncio.run(leave())
        result = asyncio.run(outgoing._addresses("receiver.test", 443))
        gate.set()
    assert (result, len(asked)) == (["127.0.0.1"], 2)
