"""Chat or pager of the operators, by apprise (the extra ``chat``)."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from types import ModuleType
from typing import Any

from processor.delivery.control import ALERT_TYPE
from processor.delivery.lane import Claimed, Verdict
from workers.channels.channel import Result

apprise: ModuleType | None
try:
    apprise = import_module("apprise")
except ImportError:  # the extra is optional
    apprise = None

THREADS = 2
TIMEOUT_S = 20.0
MISSING = "apprise is not installed; install the extra `chat`"

Send = Callable[[Sequence[str], str, str], str | None]
"""Sends a title and a text to these addresses; what went wrong, if anything."""


def send_by_apprise(urls: Sequence[str], title: str, text: str) -> str | None:
    """Send to every address; a failure names how many failed, never an address: it holds secrets."""
    if apprise is None:
        return MISSING
    failed = 0
    for url in urls:
        one = apprise.Apprise()
        if not one.add(url) or not one.notify(title=title, body=text):
            failed += 1
    return f"{failed} of {len(urls)} addresses could not be told" if failed else None


class Chat:
    """Tells the operators of alerts, and of notifications that concern them."""

    def __init__(self, urls: Sequence[str], *, send: Send = send_by_apprise) -> None:
        self._urls = tuple(urls)
        self._send = send
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="chat")

    def prepare(self) -> None:
        """Nothing takes a moment."""

    async def deliver(self, claimed: Claimed) -> Result:
        """Make one attempt."""
        title, text = in_words(json.loads(claimed.body))
        began = time.monotonic()
        loop = asyncio.get_running_loop()
        sending = loop.run_in_executor(self._pool, self._send, self._urls, title, text)
        try:
            error = await asyncio.wait_for(sending, TIMEOUT_S)
        except TimeoutError:
            error = f"not sent within {TIMEOUT_S:g} s"
        duration_ms = int((time.monotonic() - began) * 1000)
        return Result(Verdict.AGAIN if error else Verdict.DELIVERED, duration_ms, error=error)


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
