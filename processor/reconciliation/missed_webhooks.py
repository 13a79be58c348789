"""Noticing silence: messages that stay away, and consumers at Codat that are switched off or gone."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from redis import Redis

from processor.clock import from_ms, to_iso, to_ms
from processor.codat.models import WebhookConsumer
from processor.reconciliation.webhook_registration import ADDRESS, lacking
from processor.settings.definitions import Settings
from processor.store import keys
from processor.store.codat_status import LATE, OVER

MISSING = "missing-messages"
CONSUMER = "consumer"

KEPT = timedelta(days=7)

MANY = 3


@dataclass(frozen=True, slots=True)
class WebhookFault:
    """Something that is wrong with Codat's messages: what, since when, and what to do."""

    kind: str
    what: str
    advice: str
    since: str

    def as_json(self) -> dict[str, str]:
        """As it is kept and shown."""
        return {"kind": self.kind, "what": self.what, "advice": self.advice, "since": self.since}


class MissedWebhooks:
    """Judges whether Codat's messages reach us, and says so until they do."""

    def __init__(self, client: "Redis[Any]", *, settings: Settings) -> None:
        self._client, self._settings = client, settings

    def judge(self, now: datetime) -> None:
        """Compare what came by message with what was found by asking."""
        self._client.zremrangebyscore(keys.repairs(), "-inf", to_ms(now - KEPT))
        since, until = to_ms(now - OVER), to_ms(now - LATE)
        with self._client.pipeline(transaction=False) as pipe:
            pipe.zcount(keys.repairs(), since, until)
            pipe.zrangebyscore(keys.repairs(), since, until, start=0, num=1, withscores=True)
            pipe.hget(keys.counters(), "last_message_ms")
            count, first, last_ms = pipe.execute()
        silent = bool(first) and (last_ms is None or int(last_ms) < first[0][1])
        if not count or (count < MANY and not silent):
            self._calm(MISSING)
            return
        heard = f"the last came at {to_iso(from_ms(int(last_ms)))}" if last_ms else "none ever came"
        changes = "1 change" if count == 1 else f"{count} changes"
        self._warn(
            MISSING,
            f"Codat's messages stay away: of the last 24 hours, {changes} had to be found by asking Codat"
            f" ({heard}).",
            self._what_to_do(),
            now,
        )

    def compare_consumers(self, found: list[WebhookConsumer], now: datetime) -> None:
        """Look for our consumer among those that Codat has."""
        ours = [consumer for consumer in found if self._is_ours(consumer.url)]
        for consumer in ours:
            self._client.hset(keys.consumers(), consumer.url, to_ms(now))
        active = [consumer for consumer in ours if not consumer.disabled]
        if active:
            missing = lacking(active)
            if missing:
                self._warn(
                    CONSUMER,
                    f"Codat's webhook consumer for {active[0].url} does not get {', '.join(missing)}.",
                    "Add these event types in Codat's portal, or run"
                    " `codat-processor webhooks register --url URL` again.",
                    now,
                )
            else:
                self._calm(CONSUMER)
            return
        if ours:
            self._warn(
                CONSUMER,
                f"Codat has switched our webhook consumer off ({ours[0].url}): it failed for too long.",
                self._what_to_do(),
                now,
            )
        elif self._is_expected():
            self._warn(
                CONSUMER,
                "Codat has no webhook consumer for our address.",
                self._what_to_do(),
                now,
            )
        else:
            self._calm(CONSUMER)

    def _is_ours(self, url: str) -> bool:
        if self._settings.public_url is not None:
            return url.rstrip("/") == self._settings.public_url.rstrip("/") + ADDRESS
        return urlsplit(url).path.rstrip("/").endswith(ADDRESS)

    def _is_expected(self) -> bool:
        """Whether there ought to be one: we saw one before, or our address and its secret are set."""
        if self._client.exists(keys.consumers()):
            return True
        return bool(self._settings.public_url and self._settings.codat_webhook_secrets)

    def _what_to_do(self) -> str:
        url = f"{(self._settings.public_url or 'https://YOUR-ADDRESS').rstrip('/')}{ADDRESS}"
        return (
            "Look with `codat-processor webhooks list` whether the consumer is there and enabled"
            f" (`webhooks register --url {url}` makes one), see in Codat's portal what its attempts"
            " were answered, let Codat replay what failed, and run `codat-processor reconcile`."
        )

    def _warn(self, kind: str, what: str, advice: str, now: datetime) -> None:
        before = self._client.hget(keys.warnings(), kind)
        since = json.loads(before)["since"] if before else to_iso(now)
        warning = WebhookFault(kind, what, advice, since)
        self._client.hset(keys.warnings(), kind, json.dumps(warning.as_json()))

    def _calm(self, kind: str) -> None:
        self._client.hdel(keys.warnings(), kind)
