"""Ending reminders: the links in their e-mails, and what their readers say there."""

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime
from typing import Any

from redis import Redis

from processor.clock import to_iso
from processor.journey.tokens import LinkClaims, Tokens
from processor.settings.definitions import Settings
from processor.store import keys
from processor.store.decoding import text
from processor.store.encryption import KeyMissing, decrypt
from processor.store.records import REMINDERS_OFF_AT

PATH = "/reminders"

LIFETIME_S = 400 * 24 * 3600
"""Lifetime of a link in seconds: an e-mail may be read again after a year."""


class ReminderOptOut:
    """Keeps whether a company's contact wants reminders. Every method may raise ``redis.RedisError``.

    A link is about the address that it was mailed to: once a company has another contact it changes nothing.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        tokens: Tokens,
        settings: Settings,
        clock: Callable[[], datetime],
    ) -> None:
        self.tokens = tokens
        self._client, self._settings, self._clock = client, settings, clock

    def url(self, company_id: str, address: str) -> str | None:
        """The link for e-mails to this address; ``None`` where no reader could open it."""
        if self._settings.public_url is None:
            return None
        token = self.tokens.make(company_id, lifetime_s=LIFETIME_S, holder=_digest(address))
        return f"{self._settings.public_url.rstrip('/')}{PATH}/{token}"

    def is_off(self, claims: LinkClaims) -> bool | None:
        """Whether the reader of an e-mail gets no more reminders; ``None``: they are not the contact now."""
        fields = keys.company(claims.company_id), ["contact_email", REMINDERS_OFF_AT]
        contact, off_at = self._client.hmget(*fields)
        return off_at is not None if _is_holder(claims, contact) else None

    def change(self, claims: LinkClaims, *, is_off: bool) -> None:
        """Keep what the reader of an e-mail said."""
        name = keys.company(claims.company_id)

        def save(pipe: Any) -> None:
            contact, was_off = pipe.hmget(name, "contact_email", REMINDERS_OFF_AT)
            pipe.multi()
            if not _is_holder(claims, contact) or is_off == (was_off is not None):
                return
            if is_off:
                pipe.hset(name, REMINDERS_OFF_AT, to_iso(self._clock()))
            else:
                pipe.hdel(name, REMINDERS_OFF_AT)

        self._client.transaction(save, name)  # type: ignore[no-untyped-call]


def _is_holder(claims: LinkClaims, stored_contact: bytes | None) -> bool:
    """Whether the link was mailed to the company's present contact."""
    try:
        contact = decrypt(text(stored_contact or b""))
    except KeyMissing:
        return False
    return hmac.compare_digest(_digest(contact), claims.holder)


def _digest(address: str) -> str:
    """What a signed link says of the address that it was mailed to."""
    return hashlib.sha256(address.encode("utf-8", "replace")).hexdigest()[:24]
