"""What the operators' pages say: our own terms in whole sentences, and what to do. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from processor.clock import from_ms
from processor.humanize import ago as ago
from processor.humanize import date as date
from processor.humanize import number as number
from processor.humanize import span as span

SHOWN_CHARS = 200_000
"""So much of a body is shown; the command line prints all of it."""

SAID_FOR_S = 120
"""So long after an action its page says what was done, in seconds."""

_MOST_DIGITS = 6
_MOST_DIGITS_OF_A_TIME = 11


@dataclass(frozen=True, slots=True)
class Word:
    """One of our terms: how it looks (``good wait bad calm``), what it means, and what to do, if anything."""

    tone: str
    meaning: str
    advice: str = ""


UNKNOWN = Word("calm", "")

FAILING = Word(
    "wait",
    "The last attempts failed; each delivery is tried again by itself.",
    "Look at the last attempt. After more failures the lane becomes slow, and after five days it pauses.",
)
"""What an active lane is like whose newest attempts failed."""

STATES: Mapping[str, Word] = {
    "pending": Word(
        "wait",
        "Chosen, and not authorised as far as we know.",
        "Not known is what happened since the newest line of the timeline. Either the merchant has not given"
        " access yet (their link can be made on the company's page), or the message about it was lost: then"
        " asking Codat finds out.",
    ),
    "authorized": Word(
        "wait",
        "Access was given; the first sync has not begun, as far as we know.",
        "Whether a message was lost is not known. Codat is asked by itself, also whether a first sync is"
        " queued; you can ask now."
        " Software on the merchant's computer (QuickBooks Desktop, Sage 50) waits until that computer is on.",
    ),
    "syncing": Word(
        "wait",
        "The first sync of this authorisation is under way, as far as we know.",
        "Whether a message was lost is not known. Codat is asked by itself, less often as time goes by;"
        " you can ask now. What the platform does not hand out is tried again by Codat for up to 12 hours"
        " before it ends in an error. "
        "Software on the merchant's computer (QuickBooks Desktop, Sage 50) waits until that computer is on.",
    ),
    "ready": Word("good", "The first sync is complete; data types that failed are listed below."),
    "authorization_failed": Word(
        "bad",
        "The attempt to give access failed.",
        "The merchant can try again with their link, which can be made on the company's page.",
    ),
    "sync_failed": Word(
        "bad",
        "Access was given, and no data type could be read.",
        "The data types below say why. Have it read again, or let the merchant reconnect.",
    ),
    "deauthorized": Word(
        "bad",
        "The platform no longer gives access: withdrawn there, or expired.",
        "The merchant has to connect again, with their link, which can be made on the company's page.",
    ),
    "unlinked": Word("calm", "Disconnected on purpose, by the merchant or by us."),
    "deleted": Word("calm", "Deleted at Codat, for good."),
    "unreadable": Word(
        "bad",
        "What is stored of it cannot be read. Messages about it wait; all other connections go on.",
        "Run `codat-processor connections repair` with its id: it is made again from kept messages, or from"
        " Codat.",
    ),
}

FIRST_SYNC_MISSING = Word(
    "wait",
    "Access was given, and Codat has queued nothing to read: no first sync follows by itself. So it is after"
    " a token was brought, or where no data type is fetched on first link.",
    "Have Codat read it now. START_FIRST_SYNC does so by itself; the data types are chosen in Codat's sync"
    " settings.",
)
END_EXPECTED = Word(
    "calm",
    "Access ended right after a complete first sync, as of a connector on the merchant's computer that is set"
    " to be read once.",
    "Nothing to do here: the data was read. To read again, the merchant connects again.",
)

OUTCOMES: Mapping[str, Word] = {
    "applied": Word("good", "changed what we know"),
    "no_change": Word("calm", "changed nothing"),
    "stale": Word("calm", "older than what we know"),
    "twin": Word("calm", "known already, by another message"),
    "doubt": Word("wait", "does not fit what we know: Codat is asked"),
}

VERDICTS: Mapping[str, Word] = {
    "told": Word("good", "told"),
    "checking": Word("wait", "checked with Codat before it is told"),
    "overtaken": Word("calm", "not told, because it is over"),
    "known": Word("calm", "known before, not told"),
    "not_told": Word("calm", "not told; the reason stands beside it"),
}

EVENTS: Mapping[str, Word] = {
    "pending": Word(
        "wait",
        "It waits in the inbox.",
        "It takes moments. Longer: look at the overview whether workers are there.",
    ),
    "processed": Word("good", "It was handled. What it led to stands on the timeline of its connections."),
    "failed": Word(
        "wait",
        "Handling it raised an error; it is tried again by itself.",
        "The error stands below. Replaying it tries at once.",
    ),
    "dead": Word(
        "bad",
        "Handling it raised an error, to the last attempt. Nothing more happens by itself.",
        "Mend the cause (the error stands below), then replay it. A replay is harmless: what is known"
        " already changes nothing.",
    ),
    "quarantined": Word(
        "bad",
        "It is authentic, and nobody understands it. It changed nothing and is kept for a replay.",
        "Compare its body with Codat's documentation. After an update of this service that understands it,"
        " replay it. What will never be understood can be discarded.",
    ),
    "discarded": Word(
        "calm",
        "An operator closed it. It was not handled, is kept until it expires, and no longer counted as open.",
        "It can still be replayed.",
    ),
}

NOTIFICATIONS: Mapping[str, Word] = {
    "published": Word("calm", "It stands on the Redis stream; no subscriber or contact was to get it."),
    "pending": Word("wait", "At least one delivery waits, or is tried again."),
    "delivered": Word("good", "Everybody who was to get it has it."),
    "dead": Word(
        "bad",
        "At least one delivery failed to the last attempt.",
        "When the receiver is well again, send it again: under the same id, so nobody counts it twice.",
    ),
    "uncertain": Word(
        "wait",
        "At least one e-mail or chat message was sent and not answered: it may have arrived.",
        "It is not sent again by itself. Ask the reader, or send it again and risk a copy.",
    ),
}

DELIVERIES: Mapping[str, Word] = {
    "pending": Word("wait", "waits, or is tried again"),
    "delivered": Word("good", "delivered"),
    "dead": Word("bad", "failed to the last attempt"),
    "uncertain": Word("wait", "may have arrived: sent, and not answered"),
    "cancelled": Word("calm", "given up: the receiver was removed"),
    "failed": Word("bad", "failed"),
}

LANES: Mapping[str, Word] = {
    "active": Word("good", "Deliveries go out."),
    "slow": Word(
        "wait",
        "It fails again and again, so it is only probed from time to time; everything waits meanwhile.",
        "Look at the last attempt, and tell whoever runs the receiver. It recovers by itself.",
    ),
    "paused": Word(
        "bad",
        "It failed for five days, so nothing is attempted any more; everything waits.",
        "When the receiver is well again, enable it: what waits is sent.",
    ),
    "disabled": Word("calm", "Switched off by an operator: nothing new waits for it, what waited stays."),
    "gone": Word(
        "bad",
        "It answered 410: it wants no more, and nothing waits for it.",
        "Enable it if that was a mistake, or remove it.",
    ),
}

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
    "enabled": ("good", "The subscriber is enabled; what waited for it is sent."),
    "disabled": ("calm", "The subscriber is disabled. Nothing new waits for it until it is enabled."),
    "tested": ("good", "A test message is being sent. What comes of it stands below: load the page again."),
    "removed": ("calm", "The subscriber is removed. What waited for it is not sent."),
}
"""What may be said after an action; anything else in an address is not said."""


def word(table: Mapping[str, Word], name: str | None) -> Word:
    """What ``name`` means; nothing for a name that came later than this table."""
    return table.get(name or "", UNKNOWN)


def of_connection(connection: Mapping[str, Any]) -> Word:
    """What the state of a connection means, as in ``serializers.connection``."""
    if connection["first_sync_missing"]:
        return FIRST_SYNC_MISSING
    return END_EXPECTED if connection["end_expected"] else word(STATES, connection["state"])


def done(args: Mapping[str, str], now: datetime) -> tuple[str, str, datetime] | None:
    """Tone and sentence of what was just done, and when, from the parameters of an address.

    ``None`` where nothing was done lately: an address outlives that, in a tab or among the bookmarks.
    """
    found = DONE.get(args.get("done", ""))
    at = from_ms(_count(args.get("at"), _MOST_DIGITS_OF_A_TIME) * 1000)
    if found is None or abs((now - at).total_seconds()) > SAID_FOR_S:
        return None
    tone, sentence = found
    return tone, sentence.replace("{count}", str(_count(args.get("count")))), at


def pretty(value: Any) -> str:
    """JSON for people to read."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def last_line(text: str | None) -> str:
    """The last line of a traceback: what was raised."""
    return next(reversed((text or "").strip().splitlines()), "")


def _count(text: str | None, most_digits: int = _MOST_DIGITS) -> int:
    given = text or ""
    return int(given) if given.isascii() and given.isdigit() and len(given) <= most_digits else 0
