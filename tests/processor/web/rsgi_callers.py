"""Callers of the gateway, without a server between them."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

from processor.web.rsgi import RsgiGateway


class Headers(dict[str, str]):
    """What granian passes: names in lower case, the same name possibly several times."""

    def __init__(self, *pairs: tuple[str, str]) -> None:
        super().__init__(pairs)
        self._pairs = pairs

    def items(self) -> Any:
        return self._pairs


HOST = ("host", "example.test")


def scope(**given: Any) -> Any:
    usual = {
        "method": "POST",
        "path": "/webhooks/codat",
        "query_string": "",
        "http_version": "1.1",
        "scheme": "http",
        "server": "127.0.0.1:8000",
        "client": "192.0.2.7:40000",
        "headers": Headers(HOST, ("content-type", "application/json")),
        "authority": None,
    }
    return SimpleNamespace(**{**usual, **given})


class Protocol:
    """A caller that sends these parts and, unless it is ``finished``, nothing more and no end."""

    def __init__(self, *parts: bytes, finished: bool = True) -> None:
        self.parts, self.finished = parts, finished
        self.status: int | None = None
        self.body = b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            yield part
        if not self.finished:
            await asyncio.Event().wait()

    async def __call__(self) -> bytes:
        return b"".join([part async for part in self])

    def response_bytes(self, status: int, _headers: list[tuple[str, str]], body: bytes) -> None:
        assert self.status is None, "answered twice"
        self.status, self.body = status, body


def ask(gateway: RsgiGateway, *requests: tuple[Any, Protocol]) -> list[int | None]:
    """The statuses that requests got which came at the same time."""

    async def all_of_them() -> None:
        await asyncio.gather(
            *(gateway.__rsgi__(request, cast(Any, protocol)) for request, protocol in requests)
        )

    asyncio.run(all_of_them())
    return [protocol.status for _, protocol in requests]


def sized(length: int) -> Any:
    return scope(headers=Headers(HOST, ("content-length", str(length))))
