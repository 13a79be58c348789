"""Texts of the operators' pages: the meaning of each term, and what to do. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from processor.conditions.model import Condition, Severity
from processor.humanize import ago as ago
from processor.humanize import date as date
from processor.humanize import number as number
from processor.humanize import span as span

MAX_BODY_CHARS = 200_000
"""Characters of a body on a page; the command line prints all of it."""


@dataclass(frozen=True, slots=True)
class TermText:
    """The text of a term: its tone (``good wait bad calm``), its meaning, and what to do, if anything."""

    tone: str
    meaning: str
    advice: str = ""


UNKNOWN = TermText("calm", "")

FAILING = TermText(
    "wait",
    "The last attempts failed; each delivery is tried again by itself.",
    "Look at the last attempt. After more failures the lane becomes slow, and after five days it pauses.",
)
"""The text of an active lane whose last attempts failed."""

STATES: Mapping[str, TermText] = {
    "pending": TermText(
        "wait",
        "Chosen, and not authorised as far as we know.",
        "Not known is what happened since the newest line of the timeline. Either the merchant has not given"
        " access yet (their link can be made on the company's page), or the message about it was lost: then"
        " asking Codat finds out.",
    ),
    "authorized": TermText(
        "wait",
        "Access was given; the first sync has not begun, as far as we know.",
        "Whether a message was lost is not known. Codat is asked by itself, also whether a first sync is"
        " queued; you can ask now."
        " Software on the merchant's computer (QuickBooks Desktop, Sage 50) waits until that computer is on.",
    ),
    "syncing": TermText(
        "wait",
        "The first sync of this authorisation is under way, as far as we know.",
        "Whether a message was lost is not known. Codat is asked by itself, less often as time goes by;"
        " you can ask now. What the platform does not hand out is tried again by Codat for up to 12 hours"
        " before it ends in an error. "
        "Software on the merchant's computer (QuickBooks Desktop, Sage 50) waits until that computer is on.",
    ),
    "ready": TermText("good", "The first sync is complete; data types that failed are listed below."),
    "authorization_failed": TermText(
        "bad",
        "The attempt to give access failed.",
        "The merchant can try again with their link, which can be made on the company's page.",
    ),
    "sync_failed": TermText(
        "bad",
        "Access was given, and no data type could be read.",
        "The data types below say why. Have it read again, or let the merchant reconnect.",
    ),
    "deauthorized": TermText(
        "bad",
        "The platform no longer gives access: withdrawn there, or expired.",
        "The merchant has to connect again, with their link, which can be made on the company's page.",
    ),
    "unlinked": TermText("calm", "Disconnected on purpose, by the merchant or by us."),
    "deleted": TermText("calm", "Deleted at Codat, for good."),
    "unreadable": TermText(
        "bad",
        "What is stored of it cannot be read. Messages about it wait; all other connections go on.",
        "Run `codat-processor connections repair` with its id: it is made again from kept messages, or from"
        " Codat.",
    ),
}

FIRST_SYNC_MISSING = TermText(
    "wait",
    "Access was given, and Codat has queued nothing to read: no first sync follows by itself. So it is after"
    " a token was brought, or where no data type is fetched on first link.",
    "Have Codat read it now. START_FIRST_SYNC does so by itself; the data types are chosen in Codat's sync"
    " settings.",
)
END_EXPECTED = TermText(
    "calm",
    "Access ended right after a complete first sync, as of a connector on the merchant's computer that is set"
    " to be read once.",
    "Nothing to do here: the data was read. To read again, the merchant connects again.",
)

OUTCOMES: Mapping[str, TermText] = {
    "applied": TermText("good", "changed what we know"),
    "no_change": TermText("calm", "changed nothing"),
    "stale": TermText("calm", "older than what we know"),
    "twin": TermText("calm", "known already, by another message"),
    "doubt": TermText("wait", "does not fit what we know: Codat is asked"),
}

VERDICTS: Mapping[str, TermText] = {
    "told": TermText("good", "told"),
    "checking": TermText("wait", "checked with Codat before it is told"),
    "overtaken": TermText("calm", "not told, because it is over"),
    "known": TermText("calm", "known before, not told"),
    "not_told": TermText("calm", "not told; the reason stands beside it"),
}

EVENTS: Mapping[str, TermText] = {
    "pending": TermText(
        "wait",
        "It waits in the inbox.",
        "It takes moments. Longer: look at the overview whether workers are there.",
    ),
    "processed": TermText(
        "good", "It was handled. What it led to stands on the timeline of its connections."
    ),
    "failed": TermText(
        "wait",
        "Handling it raised an error; it is tried again by itself.",
        "The error stands below. Replaying it tries at once.",
    ),
    "dead": TermText(
        "bad",
        "Handling it raised an error, to the last attempt. Nothing more happens by itself.",
        "Mend the cause (the error stands below), then replay it. A replay is harmless: what is known"
        " already changes nothing.",
    ),
    "quarantined": TermText(
        "bad",
        "It is authentic, and nobody understands it. It changed nothing and is kept for a replay.",
        "Compare its body with Codat's documentation. After an update of this service that understands it,"
        " replay it. What will never be understood can be discarded.",
    ),
    "discarded": TermText(
        "calm",
        "An operator closed it. It was not handled, is kept until it expires, and no longer counted as open.",
        "It can still be replayed.",
    ),
}

NOTIFICATIONS: Mapping[str, TermText] = {
    "published": TermText("calm", "It stands on the Redis stream; no subscriber or contact was to get it."),
    "pending": TermText("wait", "At least one delivery waits, or is tried again."),
    "delivered": TermText("good", "Everybody who was to get it has it."),
    "dead": TermText(
        "bad",
        "At least one delivery failed to the last attempt.",
        "When the receiver is well again, send it again: under the same id, so nobody counts it twice.",
    ),
    "uncertain": TermText(
        "wait",
        "At least one e-mail or chat message was sent and not answered: it may have arrived.",
        "It is not sent again by itself. Ask the reader, or send it again and risk a copy.",
    ),
}

WINDOWS: Mapping[str, str] = {"hour": "1 hour", "day": "1 day", "month": "30 days"}
"""The windows of trends."""

VERIFICATIONS: Mapping[str, TermText] = {
    "same": TermText("good", "Rebuilt from its kept messages, it is the same."),
    "different": TermText(
        "bad", "Rebuilt from its kept messages, it differs.", "Ask Codat now: its answer decides."
    ),
    "incomplete": TermText("calm", "Not compared: messages from which it was learnt are not kept any more."),
    "unreadable": TermText("bad", "Its record cannot be read."),
}

DELIVERIES: Mapping[str, TermText] = {
    "pending": TermText("wait", "waits, or is tried again"),
    "delivered": TermText("good", "delivered"),
    "dead": TermText("bad", "failed to the last attempt"),
    "uncertain": TermText("wait", "may have arrived: sent, and not answered"),
    "cancelled": TermText("calm", "given up: the receiver was removed, or it is no longer so"),
    "failed": TermText("bad", "failed"),
}

LANES: Mapping[str, TermText] = {
    "active": TermText("good", "Deliveries go out."),
    "slow": TermText(
        "wait",
        "It fails again and again, so it is only probed from time to time; everything waits meanwhile.",
        "Look at the last attempt, and tell whoever runs the receiver. It recovers by itself.",
    ),
    "paused": TermText(
        "bad",
        "It failed for five days, so nothing is attempted any more; everything waits.",
        "When the receiver is well again, enable it: what waits is sent.",
    ),
    "disabled": TermText("calm", "Switched off by an operator: nothing new waits for it, what waited stays."),
    "gone": TermText(
        "bad",
        "It answered 410: it wants no more, and nothing waits for it.",
        "Enable it if that was a mistake, or remove it.",
    ),
}


def term(table: Mapping[str, TermText], name: str | None) -> TermText:
    """The text of ``name``; an empty one for a name that is not in the table."""
    return table.get(name or "", UNKNOWN)


def of_connection(connection: Mapping[str, Any]) -> TermText:
    """The text for the state of a connection, as in ``serializers.connection``."""
    if connection["first_sync_missing"]:
        return FIRST_SYNC_MISSING
    return END_EXPECTED if connection["end_expected"] else term(STATES, connection["state"])


def pretty(value: Any) -> str:
    """Indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def last_line(text: str | None) -> str:
    """The last line of a traceback, which names the exception."""
    return next(reversed((text or "").strip().splitlines()), "")


def headline(conditions: Sequence[Condition]) -> tuple[str, str, str]:
    """Tone, title and sentence for the worst of the conditions."""
    severities = {condition.severity for condition in conditions}
    if Severity.CRITICAL in severities:
        return "bad", "Messages cannot be kept", "Codat is told to send them again later."
    kept = "Messages are taken and kept. What is wrong stands here, with what to do."
    if Severity.ERROR in severities:
        return "bad", "A part of it does not work", kept
    if Severity.WARNING in severities:
        return "wait", "It works, and something needs you", kept
    if any(condition.code == "receiver_disabled" for condition in conditions):
        return (
            "good",
            "It works, and something is switched off",
            "Messages are taken, handled and told, but not to whom an operator disabled.",
        )
    return "good", "All is well", "Messages are taken, handled and told."


KINDS: Mapping[str, str] = {
    "connection": "a connection",
    "company": "a company",
    "event": "an event",
    "notification": "a notification",
    "subscriber": "a subscriber",
}
"""Kinds of objects in search results."""
