"""A webhook receiver in a process of its own: answers 204, and tells when each notification first arrived.

``python -m benchmarks.receiver [PAUSE_S]`` prints its port; each line on its input is answered with a line of
JSON: ``{"connections": …, "arrivals": {"path webhook-id": Unix time}}``.
"""

import asyncio
import json
import sys
import time

_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


class _Receiver(asyncio.Protocol):
    connections = 0
    arrivals: dict[str, float] = {}  # noqa: RUF012 - shared by all connections on purpose
    pause_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._received = transport, b""
        _Receiver.connections += 1

    def data_received(self, data: bytes) -> None:
        self._received += data
        while True:
            head, end, rest = self._received.partition(b"\r\n\r\n")
            if not end:
                return
            fields = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
            }
            length = int(fields.get(b"content-length", b"0"))
            if len(rest) < length:
                return
            self._received = rest[length:]
            path = head.split(b" ", 2)[1]
            self.arrivals.setdefault((path + b" " + fields[b"webhook-id"]).decode(), time.time())
            asyncio.get_running_loop().call_later(self.pause_s, self._transport.write, _ANSWER)


async def main() -> None:
    """Serve until the input ends."""
    _Receiver.pause_s = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Receiver, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps({"connections": _Receiver.connections, "arrivals": _Receiver.arrivals}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
