"""A mail server for a demonstration: it takes in every e-mail, and sends none on."""

import email
import email.policy
import socketserver
import threading
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

MOST_MAILS = 100
LONGEST_LINE = 65_536


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """An e-mail; ``text`` is its plain part."""

    to: str
    subject: str
    text: str


class Mailbox:
    """Receives by SMTP at ``port`` of this machine while the context lasts; it keeps the last ``MOST_MAILS``.

    It speaks as much of https://www.rfc-editor.org/rfc/rfc5321 as a client without TLS and login needs.
    """

    def __init__(self) -> None:
        self._mails: deque[ReceivedMail] = deque(maxlen=MOST_MAILS)
        session = partial(_Session, self._mails)
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), session)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """The address as a setting (SMTP_URL)."""
        return f"smtp://127.0.0.1:{self._server.server_address[1]}"

    @property
    def mails(self) -> list[ReceivedMail]:
        """What came, newest first."""
        return list(self._mails)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="mailbox", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Session(socketserver.StreamRequestHandler):
    def __init__(self, mails: deque[ReceivedMail], *connection: Any) -> None:
        self._mails = mails
        super().__init__(*connection)

    def handle(self) -> None:
        self._say("220 localhost")
        while line := self.rfile.readline(LONGEST_LINE):
            match line[:4].upper():
                case b"EHLO" | b"HELO" | b"MAIL" | b"RCPT" | b"RSET" | b"NOOP":
                    self._say("250 OK")
                case b"DATA":
                    self._say("354 go on")
                    self._mails.appendleft(_parse(self._content()))
                    self._say("250 taken")
                case b"QUIT":
                    self._say("221 goodbye")
                    return
                case _:
                    self._say("502 not known here")

    def _content(self) -> bytes:
        lines = []
        while (line := self.rfile.readline(LONGEST_LINE)) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


def _parse(content: bytes) -> ReceivedMail:
    message = email.message_from_bytes(content, policy=email.policy.default)
    body = message.get_body(("plain",))
    return ReceivedMail(
        str(message["To"]), str(message["Subject"]), "" if body is None else str(body.get_content())
    )
