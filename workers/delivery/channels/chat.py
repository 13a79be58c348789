"""Chat or pager of the operators, by apprise (the extra ``chat``).

Each address has an outcome of its own: a retry goes to those that failed, never to those that have it or may
have it.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import smtplib
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from importlib import import_module
from typing import Any

from redis import Redis

from processor.delivery.lane import AttemptVerdict, Lease
from processor.delivery.lane_admin import ALERT_TYPE
from processor.delivery.send_log import DELIVERED, LeaseLost, SendLog
from workers.delivery.channels.blocking_sender import BlockingSender, CalledOff, PointOfNoReturn
from workers.delivery.channels.channel import Result

apprise: Any = None
requests: Any = None
with contextlib.suppress(ImportError):  # an extra; without it OPERATOR_ALERT_URLS is refused at the start
    apprise, requests = import_module("apprise"), import_module("requests")

BEGIN_WITHIN_S = 20.0
READ_TIMEOUT_S = 60.0
"""How long an address may take to answer, in seconds, where its ``rto`` does not say it."""

ANSWER_WITHIN_S = 120.0
"""For everything that one address sends, which may be several requests, in seconds."""

Send = Callable[[str, str, str], AttemptVerdict]
"""Sends a title and a text to an address; ``again`` where that certainly failed, else ``uncertain``."""


class _Witness(logging.Filter):
    """Remembers which error apprise handles while it logs: its methods answer yes or no, and no more."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let through what the service logs at all."""
        error, seen = sys.exc_info()[1], _errors.get()
        if error is not None and seen is not None:
            seen.append(error)
        return record.levelno >= logging.getLogger().getEffectiveLevel()


_errors: ContextVar[list[BaseException] | None] = ContextVar("errors", default=None)
"""The errors that were handled during the send of this context."""

_witness = _Witness()


def send_by_apprise(url: str, title: str, text: str) -> AttemptVerdict:
    """Send to one address."""
    log = logging.getLogger("apprise")
    log.addFilter(_witness)  # adding it twice is adding it once
    log.setLevel(logging.WARNING)
    plugin = apprise.Apprise.instantiate(url)
    if plugin is None:
        return AttemptVerdict.AGAIN
    if "socket_read_timeout" not in vars(plugin):
        plugin.socket_read_timeout = READ_TIMEOUT_S
    one = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
    one.add(plugin)
    seen: list[BaseException] = []
    _errors.set(seen)  # of this thread, which ends with the send
    if one.notify(title=title, body=text):
        return AttemptVerdict.DELIVERED
    return AttemptVerdict.UNCERTAIN if any(map(_may_have_arrived, seen)) else AttemptVerdict.AGAIN


def directly(url: str) -> Callable[[str, str], bool]:
    """Sends a title and a text to one address; false where that certainly failed."""
    return lambda title, text: send_by_apprise(url, title, text) is not AttemptVerdict.AGAIN


def _may_have_arrived(error: BaseException) -> bool:
    """Whether a request that ended with this error was sent: its answer was lost, or came too late."""
    if isinstance(error, requests.RequestException):
        if isinstance(error, (requests.exceptions.SSLError, requests.exceptions.ProxyError)):
            return False
        if isinstance(error, (requests.ReadTimeout, requests.exceptions.ChunkedEncodingError)):
            return True
        return isinstance(error, requests.ConnectionError) and not _failed_to_connect(error)
    lost = (TimeoutError, ConnectionResetError, BrokenPipeError, smtplib.SMTPServerDisconnected)
    return isinstance(error, lost) and not _failed_to_connect(error)


def _failed_to_connect(error: BaseException) -> bool:
    """Whether it, or what led to it, was raised while a connection was being opened."""
    cause: BaseException | None = error
    while cause is not None:
        frames = traceback.walk_tb(cause.__traceback__)
        if any(frame.f_code.co_name in ("create_connection", "_new_conn") for frame, _ in frames):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


class Chat:
    """Tells the operators of alerts, and of notifications that concern them."""

    begun = 0

    def __init__(self, client: "Redis[Any]", urls: Sequence[str], *, send: Send = send_by_apprise) -> None:
        self._urls = {hashlib.sha256(url.encode()).hexdigest()[:16]: url for url in urls}
        self._send = send
        self._log = SendLog(client)
        self._sender = BlockingSender("chat", begin_within_s=BEGIN_WITHIN_S, answer_within_s=ANSWER_WITHIN_S)

    def prepare(self) -> None:
        """Nothing takes a moment."""

    async def deliver(self, claimed: Lease) -> Result:
        """Make one attempt at every address that does not have it."""
        title, text = in_words(json.loads(claimed.body))
        began = time.monotonic()

        def sending(recipient: str, url: str) -> Callable[[PointOfNoReturn], Result]:
            return lambda handover: self._send_to(claimed, handover, recipient, url, title, text)

        results = await asyncio.gather(
            *(self._sender.run(sending(recipient, url)) for recipient, url in self._urls.items())
        )
        return _together([result.verdict for result in results], int((time.monotonic() - began) * 1000))

    def _send_to(
        self, claimed: Lease, handover: PointOfNoReturn, recipient: str, url: str, title: str, text: str
    ) -> Result:
        known = self._log.outcomes(claimed).get(recipient)
        if known is not None:
            return Result(AttemptVerdict.DELIVERED if known == DELIVERED else AttemptVerdict.UNCERTAIN, 0)
        try:
            handover.begin()
            self._log.begin(claimed, recipient)
        except (CalledOff, LeaseLost):
            return Result(AttemptVerdict.AGAIN, 0)
        verdict = self._send(url, title, text)
        if verdict is AttemptVerdict.DELIVERED:
            self._log.delivered(claimed, recipient)
        elif verdict is AttemptVerdict.AGAIN:
            self._log.failed(claimed, recipient)
        return Result(verdict, 0)


def _together(verdicts: Sequence[AttemptVerdict], duration_ms: int) -> Result:
    """What the outcomes of all addresses mean; none is named: an address holds secrets.

    A lane in which one address works is not slowed for the others.
    """
    numbers = {
        verdict: [place for place, one in enumerate(verdicts, 1) if one is verdict]
        for verdict in (AttemptVerdict.AGAIN, AttemptVerdict.UNCERTAIN)
    }
    failed, uncertain = numbers[AttemptVerdict.AGAIN], numbers[AttemptVerdict.UNCERTAIN]
    said = []
    if failed:
        said.append(f"{len(failed)} of {len(verdicts)} addresses could not be told ({_named(failed)})")
    if uncertain:
        said.append(f"{len(uncertain)} of {len(verdicts)} may have been told ({_named(uncertain)})")
    verdict = (
        AttemptVerdict.AGAIN
        if failed
        else AttemptVerdict.UNCERTAIN
        if uncertain
        else AttemptVerdict.DELIVERED
    )
    counts = AttemptVerdict.DELIVERED not in verdicts
    return Result(verdict, duration_ms, error="; ".join(said) or None, counts=counts)


def _named(places: Sequence[int]) -> str:
    return "number " + ", ".join(map(str, places))


def in_words(body: Mapping[str, Any]) -> tuple[str, str]:
    """Title and text of an alert or a notification."""
    data = body["data"]
    if body["type"] == ALERT_TYPE:
        return str(data["subject"]), str(data["text"])
    what = str(body["type"])
    platform = data.get("platform_name") or "a platform"
    lines = [f"{what}: {platform}"]
    for label, name in (
        ("merchant", "merchant_id"),
        ("company", "company_id"),
        ("connection", "connection_id"),
        ("state", "state"),
        ("at", "occurred_at"),
    ):
        if data.get(name):
            lines.append(f"{label} {data[name]}")
    failed = (data.get("data_types") or {}).get("failed")
    if failed:
        lines.append("failed: " + ", ".join(f"{kind} ({status})" for kind, status in sorted(failed.items())))
    error = data.get("error") or {}
    if error.get("message") or error.get("status_text"):
        lines.append(f"Codat says: {error.get('message') or error.get('status_text')}")
    return f"Codat: {what}", "\n".join(lines)
