"""What a page says after an action, by the address to which it led. Pure."""

from collections.abc import Mapping
from datetime import datetime

from processor.clock import from_ms

DONE_SHOWN_S = 120
"""How long a page confirms an action, in seconds."""

_MAX_DIGITS = 6
_MAX_DIGITS_OF_A_TIME = 11

DONE: Mapping[str, tuple[str, str]] = {
    "replayed": ("good", "It waits in the inbox again, and is handled in a moment."),
    "replayed-several": ("good", "{count} wait in the inbox again."),
    "asked-codat": ("good", "Codat was asked. What it answered is on the timeline in a moment."),
    "asked-codat-in-vain": ("wait", "Codat was asked, and does not show this company to our key."),
    "discarded": ("calm", "It is discarded: kept, and no longer counted as open."),
    "discarded-several": ("calm", "{count} are discarded: kept, and no longer counted as open."),
    "redelivered": ("good", "It is being sent again, under the same id."),
    "redelivered-to-several": ("good", "It is being sent again to {count} receivers, under the same id."),
    "reading": ("good", "Codat was told to read the data; what comes of it is on the timeline in minutes."),
    "codat-answers": ("good", "Codat answers, and takes the key."),
    "tried": ("good", "It is tried again now; what comes of it stands here in moments."),
    "sent-again": ("good", "{count} are being sent again, under the same ids."),
    "repaired": ("good", "{count} records were looked at and made again where they were damaged."),
    "forgotten": ("good", "{count} handled messages were forgotten."),
    "forgotten-most": ("wait", "{count} handled messages were forgotten, and more are as old: do it again."),
    "muted": ("calm", "Muted: its beginning alerts nobody until then. What alerted before still ends so."),
    "unmuted": ("good", "No longer muted: it alerts if it holds."),
    "woken": ("good", "The workers were asked to look for work."),
    "registered": (
        "wait",
        "The consumer is registered at Codat. Now copy its signing secret from Codat's portal to the page"
        " Access.",
    ),
    "registered-before": ("calm", "Codat has the consumer already; nothing was changed."),
    "unlinked": ("calm", "Access was ended at Codat. The timeline says so in a moment."),
    "links-revoked": ("calm", "The links of this company that were made before are revoked."),
    "enabled": ("good", "The subscriber is enabled; what waited for it is sent."),
    "disabled": ("calm", "The subscriber is disabled. Nothing new waits for it until it is enabled."),
    "tested": ("good", "A test message is being sent. What comes of it stands below: load the page again."),
    "edited": ("good", "The subscriber is changed."),
    "portal-revoked": ("calm", "The links to this receiver's own page are revoked; those of others stay."),
    "key-revoked": ("calm", "The key is revoked: the next call with it is refused."),
    "secret-added": (
        "good",
        "Messages that are signed with it are accepted now. Codat sends again what was refused.",
    ),
    "secret-removed": ("calm", "The secret is removed: what is signed with it is refused."),
    "sessions-ended": ("calm", "Sessions ended: {count}."),
    "removed": ("calm", "The subscriber is removed. What waited for it is not sent."),
}
"""Confirmations by the value of the address parameter ``done``, with their tone."""


def done(args: Mapping[str, str], now: datetime) -> tuple[str, str, datetime] | None:
    """Tone, sentence and time of the action that the address parameters name.

    ``None`` when it is older than ``DONE_SHOWN_S``: an address may live on in a tab or bookmark.
    """
    confirmation = DONE.get(args.get("done", ""))
    at = from_ms(_count(args.get("done_at"), _MAX_DIGITS_OF_A_TIME) * 1000)
    if confirmation is None or abs((now - at).total_seconds()) > DONE_SHOWN_S:
        return None
    tone, sentence = confirmation
    return tone, sentence.replace("{count}", str(_count(args.get("count")))), at


def _count(text: str | None, max_digits: int = _MAX_DIGITS) -> int:
    digits = text or ""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= max_digits else 0
