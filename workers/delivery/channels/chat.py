"""The operators' chat or pager, by apprise (the extra ``chat``), which is loaded at the first send.

Each address has its own outcome: a retry goes to the addresses that failed, not to those that have, or may
have, the message.
"""

import asyncio
import hashlib
import json
import logging
import smtplib
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from importlib import import_module
from typing import Any

from redis import Redis

from processor.clock import elapsed_ms
from processor.container import Container
from processor.delivery.lane import AttemptVerdict, Lease
from processor.delivery.operator_alerts import ALERT_TYPE
from processor.delivery.send_log import DELIVERED, LeaseLost, SendLog
from workers.delivery.channels.blocking_sender import BlockingSender, PointOfNoReturn, SendCancelled
from workers.delivery.channels.sender import AttemptResult, Sender

BEGIN_WITHIN_S = 20.0
READ_TIMEOUT_S = 60.0
"""Read timeout of an address without the parameter ``rto``, in seconds."""

REPLY_WITHIN_S = 120.0
"""Limit for all requests to one address, in seconds."""

Send = Callable[[str, str, str], AttemptVerdict]
"""Sends a title and a text to an address; ``again`` means that it certainly failed."""


class _ErrorRecorder(logging.Filter):
    """Records the error that apprise handles while it logs: its methods return true or false alone."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Record the error; pass the levels that the service logs."""
        error, errors = sys.exc_info()[1], _errors.get()
        if error is not None and errors is not None:
            errors.append(error)
        return record.levelno >= logging.getLogger().getEffectiveLevel()


_errors: ContextVar[list[BaseException] | None] = ContextVar("errors", default=None)
"""The errors that apprise handled during the current send."""

_error_recorder = _ErrorRecorder()


def send_by_apprise(url: str, title: str, text: str) -> AttemptVerdict:
    """Send to one address by apprise. The loading of the settings has checked that it is installed."""
    apprise: Any = import_module("apprise")
    log = logging.getLogger("apprise")
    log.addFilter(_error_recorder)  # idempotent
    log.setLevel(logging.WARNING)
    plugin = apprise.Apprise.instantiate(url)
    if plugin is None:
        return AttemptVerdict.AGAIN
    if "socket_read_timeout" not in vars(plugin):
        plugin.socket_read_timeout = READ_TIMEOUT_S
    notifier = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
    notifier.add(plugin)
    errors: list[BaseException] = []
    _errors.set(errors)  # in this thread, which ends with the send
    if notifier.notify(title=title, body=text):
        return AttemptVerdict.DELIVERED
    return AttemptVerdict.UNCERTAIN if any(map(_may_have_arrived, errors)) else AttemptVerdict.AGAIN


def direct_send(url: str) -> Callable[[str, str], bool]:
    """A function that sends a title and a text to one address; false where that certainly failed."""
    return lambda title, text: send_by_apprise(url, title, text) is not AttemptVerdict.AGAIN


def _may_have_arrived(error: BaseException) -> bool:
    """Whether a request was sent although it ended with this error: its response was lost or late."""
    requests: Any = import_module("requests")
    if isinstance(error, requests.RequestException):
        if isinstance(error, (requests.exceptions.SSLError, requests.exceptions.ProxyError)):
            return False
        if isinstance(error, (requests.ReadTimeout, requests.exceptions.ChunkedEncodingError)):
            return True
        return isinstance(error, requests.ConnectionError) and not _failed_to_connect(error)
    connection_lost = (TimeoutError, ConnectionResetError, BrokenPipeError, smtplib.SMTPServerDisconnected)
    return isinstance(error, connection_lost) and not _failed_to_connect(error)


def _failed_to_connect(error: BaseException) -> bool:
    """Whether the error or one of its causes was raised while a connection was opened."""
    cause: BaseException | None = error
    while cause is not None:
        frames = traceback.walk_tb(cause.__traceback__)
        if any(frame.f_code.co_name in ("create_connection", "_new_conn") for frame, _ in frames):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


class ChatSender(Sender):
    """Sends alerts, and notifications of OPERATOR_ALERT_TYPES, to the operators' addresses."""

    def __init__(self, client: "Redis[Any]", urls: Sequence[str], *, send: Send = send_by_apprise) -> None:
        self._urls = {hashlib.sha256(url.encode()).hexdigest()[:16]: url for url in urls}
        self._send = send
        self._log = SendLog(client)
        self._sender = BlockingSender("chat", begin_within_s=BEGIN_WITHIN_S, reply_within_s=REPLY_WITHIN_S)

    async def deliver(self, lease: Lease) -> AttemptResult:
        """Make one attempt at every address that does not have the message."""
        title, text = message_of(json.loads(lease.body))
        began = time.monotonic()
        results = await asyncio.gather(
            *(
                self._sender.run(partial(self._send_to, lease, title, text, recipient, url))
                for recipient, url in self._urls.items()
            )
        )
        return _combine([result.verdict for result in results], elapsed_ms(began))

    def _send_to(
        self, lease: Lease, title: str, text: str, recipient: str, url: str, point: PointOfNoReturn
    ) -> AttemptResult:
        earlier = self._log.outcomes(lease).get(recipient)
        if earlier is not None:
            verdict = AttemptVerdict.DELIVERED if earlier == DELIVERED else AttemptVerdict.UNCERTAIN
            return AttemptResult(verdict, 0)
        try:
            point.enter()
            self._log.begin(lease, recipient)
        except (SendCancelled, LeaseLost):
            return AttemptResult(AttemptVerdict.AGAIN, 0)
        verdict = self._send(url, title, text)
        if verdict is AttemptVerdict.DELIVERED:
            self._log.delivered(lease, recipient)
        elif verdict is AttemptVerdict.AGAIN:
            self._log.failed(lease, recipient)
        return AttemptResult(verdict, 0)


def _combine(verdicts: Sequence[AttemptVerdict], duration_ms: int) -> AttemptResult:
    """The result for all addresses, which the error text only numbers: an address contains secrets.

    Failures count against the lane only where no address works.
    """
    errors = []
    for kind, what in (
        (AttemptVerdict.AGAIN, "addresses could not be told"),
        (AttemptVerdict.UNCERTAIN, "may have been told"),
    ):
        numbers = [str(number) for number, verdict in enumerate(verdicts, 1) if verdict is kind]
        if numbers:
            errors.append(f"{len(numbers)} of {len(verdicts)} {what} (number {', '.join(numbers)})")
    severity = (AttemptVerdict.AGAIN, AttemptVerdict.UNCERTAIN)
    verdict = next((kind for kind in severity if kind in verdicts), AttemptVerdict.DELIVERED)
    counts = AttemptVerdict.DELIVERED not in verdicts
    return AttemptResult(verdict, duration_ms, error="; ".join(errors) or None, counts=counts)


def chat_sender(container: Container) -> ChatSender:
    """The sender with the collaborators of ``container``."""
    return ChatSender(container.redis, container.settings.operator_alert_urls)


def message_of(body: Mapping[str, Any]) -> tuple[str, str]:
    """Title and text of an alert or a notification."""
    data = body["data"]
    if body["type"] == ALERT_TYPE:
        return str(data["subject"]), str(data["text"])
    type_ = str(body["type"])
    platform = data.get("platform_name") or "a platform"
    lines = [f"{type_}: {platform}"]
    for label, name in (
        ("merchant", "merchant_id"),
        ("company", "company_id"),
        ("connection", "connection_id"),
        ("state", "state"),
        ("at", "occurred_at"),
    ):
        if data.get(name):
            lines.append(f"{label} {data[name]}")
    if data.get("note"):
        lines.append(f"note: {data['note']}")
    failed = (data.get("data_types") or {}).get("failed")
    if failed:
        lines.append(
            "failed: " + ", ".join(f"{data_type} ({status})" for data_type, status in sorted(failed.items()))
        )
    error = data.get("error") or {}
    if error.get("message") or error.get("status_text"):
        lines.append(f"Codat says: {error.get('message') or error.get('status_text')}")
    return f"Codat: {type_}", "\n".join(lines)
