"""Codat's values, names and times in plain words. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from handlers.facts import AUTH_ERROR, COMPLETE, NOT_SUPPORTED

_STATUSES: Mapping[str, str] = {
    COMPLETE: "Done",
    NOT_SUPPORTED: "Not kept at {platform}",
    AUTH_ERROR: "{platform} asks you to sign in again",
    "PermissionsError": "Your login may not see this",
    "RateLimitError": "{platform} was too busy",
    "PrerequisiteNotMet": "Something else has to be read first",
    "Cancelled": "Stopped",
    "Initial": "Waiting",
    "Queued": "Waiting",
}


UNNAMED_PLATFORM = "your platform"
TO_CHANGE = "To change, disconnect it under “Manage” first."


def single_connection(name: str) -> str:
    """Why another accounting platform cannot be connected beside ``name``."""
    return f"{name} is connected, and a company has one accounting platform at a time."


def on_premise(name: str) -> str:
    """What to expect of software on the customer's computer."""
    hours = ", in the hours that you chose there" if _has_hours(name) else ""
    return f"{name} is on your own computer, so it is read when that computer is on{hours}."


def on_premise_briefly(name: str) -> str:
    """The same in a few words."""
    return "Read when your computer is on" + (", in the hours you chose" if _has_hours(name) else "")


def _has_hours(name: str) -> bool:
    """Whether it is read in chosen hours only. https://docs.codat.io/integrations/accounting/quickbooksdesktop"""
    return "quickbooks desktop" in name.casefold()


def back_to(product_name: str | None) -> str:
    """The label of the button that leads back to the caller's own site."""
    return f"Back to {product_name}" if product_name else "Back to where you came from"


def mail_to_colleague(company: str | None, address: str, expires_at: datetime) -> str:
    """A ``mailto:`` without a recipient that asks a colleague to connect the accounts at ``address``."""
    name = company or "our company"
    subject = f"Please connect the accounts of {name}"
    body = (
        f"Hello,\n\nwe were asked to connect the software that {name} keeps its books in. You hold the "
        f"login, so could you do it for us? It takes a few minutes:\n\n{address}\n\n"
        "Whoever has this link can connect and disconnect our accounts, so please do not pass it on. "
        f"It works until {moment(expires_at)}.\n\nThank you"
    )
    return f"mailto:?subject={quote(subject)}&body={quote(body)}"


def moment(at: datetime) -> str:
    """``22 November 2026, 15:04 UTC``."""
    return f"{day(at)}, {at:%H:%M} UTC"


def day(at: datetime) -> str:
    """``22 November 2026``."""
    return f"{at.day} {at:%B %Y}"


def numbered_name(platform: str, number: int, begun_at: datetime) -> str:
    """The name of one of several connections to a platform."""
    return f"{platform} {number} (begun {day(begun_at)})"


def name_of(text: str) -> str:
    """A name from outside that does not change the writing direction of the sentence around it.

    Directional control characters are removed, and a name in a right-to-left script is isolated.
    https://www.w3.org/International/questions/qa-bidi-unicode-controls
    """
    plain = "".join(character for character in text if character not in _DIRECTIONAL)
    is_right_to_left = any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in plain)
    return f"\u2068{plain}\u2069" if is_right_to_left else plain


def quotation(text: str) -> str:
    """A message from Codat or a platform, without ids, which mean nothing to a merchant."""
    return " ".join(_ID.sub("…", name_of(text)).split())


_ID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_DIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})


def of_status(status: str, platform: str, *, failed: bool) -> str:
    """The status of a dataset in a few words; ``failed``: reading it has failed."""
    fallback = "Could not be read" if failed else "Reading"
    return _STATUSES.get(status, fallback).replace("{platform}", platform)
