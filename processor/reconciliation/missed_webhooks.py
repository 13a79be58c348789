"""Detects missing messages, and webhook consumers at Codat that are disabled, incomplete or gone."""

import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from redis import Redis

from processor.clock import from_ms, to_iso, to_ms
from processor.codat.models import WebhookConsumer
from processor.reconciliation.webhook_registration import WEBHOOK_PATH, missing_event_types
from processor.settings.definitions import Settings
from processor.store import keys
from processor.store.codat_status import LATE, OVER

MISSING = "missing-messages"
CONSUMER = "consumer"

RETENTION = timedelta(days=7)
"""How long changes that were found by polling are kept."""

MANY = 3
"""So many changes found by polling are a warning, even while other messages arrive."""


class WebhookMonitor:
    """Sets and clears the warnings about Codat's messages."""

    def __init__(self, client: "Redis[Any]", *, settings: Settings) -> None:
        self._client, self._settings = client, settings

    def check_messages(self, now: datetime) -> None:
        """Warn if changes had to be found by polling because their messages did not arrive."""
        since, until = to_ms(now - OVER), to_ms(now - LATE)
        with self._client.pipeline(transaction=False) as pipe:
            for cell in keys.cells():
                pipe.zremrangebyscore(keys.repairs(cell), "-inf", to_ms(now - RETENTION))
                pipe.zcount(keys.repairs(cell), since, until)
                pipe.zrangebyscore(keys.repairs(cell), since, until, start=0, num=1, withscores=True)
                pipe.hget(keys.counters(cell), "last_message_ms")
            replies = pipe.execute()
        count = sum(replies[1::4])
        first_repair_ms = min((at_ms for rows in replies[2::4] for _, at_ms in rows), default=None)
        last_ms = max((int(at_ms) for at_ms in replies[3::4] if at_ms is not None), default=None)
        is_silent = first_repair_ms is not None and (last_ms is None or last_ms < first_repair_ms)
        if not count or (count < MANY and not is_silent):
            self._clear(MISSING)
            return
        last_message = f"the last came at {to_iso(from_ms(last_ms))}" if last_ms else "none ever came"
        changes = "1 change" if count == 1 else f"{count} changes"
        self._warn(
            MISSING,
            f"Codat's messages stay away: of the last 24 hours, {changes} had to be found by asking Codat"
            f" ({last_message}).",
            self._advice(),
            now,
        )

    def check_consumers(self, consumers: list[WebhookConsumer], now: datetime) -> None:
        """Warn if none of Codat's consumers sends us every handled event type."""
        ours = [consumer for consumer in consumers if self._is_ours(consumer.url)]
        for consumer in ours:
            self._client.hset(keys.consumers(), consumer.url, to_ms(now))
        active = [consumer for consumer in ours if not consumer.disabled]
        if active and (missing := missing_event_types(active)):
            self._warn(
                CONSUMER,
                f"Codat's webhook consumer for {active[0].url} does not get {', '.join(missing)}.",
                "Add these event types in Codat's portal, or run"
                " `codat-processor webhooks register --url URL` again.",
                now,
            )
        elif ours and not active:
            self._warn(
                CONSUMER,
                f"Codat has switched our webhook consumer off ({ours[0].url}): it failed for too long.",
                self._advice(),
                now,
            )
        elif not ours and self._is_expected():
            self._warn(CONSUMER, "Codat has no webhook consumer for our address.", self._advice(), now)
        else:
            self._clear(CONSUMER)

    def _is_ours(self, url: str) -> bool:
        if self._settings.public_url is not None:
            return url.rstrip("/") == self._settings.public_url.rstrip("/") + WEBHOOK_PATH
        return urlsplit(url).path.rstrip("/").endswith(WEBHOOK_PATH)

    def _is_expected(self) -> bool:
        """Whether there was a consumer before, or our URL and the webhook secrets are set."""
        if self._client.exists(keys.consumers()):
            return True
        return bool(self._settings.public_url and self._settings.codat_webhook_secrets)

    def _advice(self) -> str:
        url = f"{(self._settings.public_url or 'https://YOUR-ADDRESS').rstrip('/')}{WEBHOOK_PATH}"
        return (
            "Look with `codat-processor webhooks list` whether the consumer is there and enabled"
            f" (`webhooks register --url {url}` makes one), see in Codat's portal what its attempts"
            " were answered, let Codat replay what failed, and run `codat-processor reconcile`."
        )

    def _warn(self, kind: str, text: str, advice: str, now: datetime) -> None:
        """Set the warning; one that stands already keeps its ``since``."""
        stored = self._client.hget(keys.warnings(), kind)
        since = json.loads(stored)["since"] if stored else to_iso(now)
        warning = {"kind": kind, "what": text, "advice": advice, "since": since}
        self._client.hset(keys.warnings(), kind, json.dumps(warning))

    def _clear(self, kind: str) -> None:
        self._client.hdel(keys.warnings(), kind)
