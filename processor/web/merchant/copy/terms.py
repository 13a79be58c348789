"""Codat's values, names and times in plain words. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from handlers.facts import AUTH_ERROR, COMPLETE, NOT_SUPPORTED
from processor.languages.current import current, day, gettext, mark, moment

_STATUSES: Mapping[str, str] = {
    COMPLETE: mark("Done"),
    NOT_SUPPORTED: mark("Not kept at {platform}"),
    AUTH_ERROR: mark("{platform} asks you to sign in again"),
    "PermissionsError": mark("Your login may not see this"),
    "RateLimitError": mark("{platform} was too busy"),
    "PrerequisiteNotMet": mark("Something else has to be read first"),
    "Cancelled": mark("Stopped"),
    "Initial": mark("Waiting"),
    "Queued": mark("Waiting"),
}


UNNAMED_PLATFORM = mark("your platform")
TO_CHANGE = mark("To change, disconnect it under “Manage” first.")


def single_connection(name: str) -> str:
    """Why another accounting platform cannot be connected beside ``name``."""
    text = gettext("{platform} is connected, and a company has one accounting platform at a time.")
    return text.replace("{platform}", name)


def on_premise(name: str) -> str:
    """What to expect of software on the customer's computer."""
    text = gettext("{platform} is on your own computer, so it is read when that computer is on.")
    if _has_hours(name):
        text = gettext(
            "{platform} is on your own computer, so it is read when that computer is on, in the hours that "
            "you chose there."
        )
    return text.replace("{platform}", name)


def on_premise_briefly(name: str) -> str:
    """The same in a few words."""
    if _has_hours(name):
        return gettext("Read when your computer is on, in the hours you chose")
    return gettext("Read when your computer is on")


def _has_hours(name: str) -> bool:
    """Whether it is read in chosen hours only. https://docs.codat.io/integrations/accounting/quickbooksdesktop"""
    return "quickbooks desktop" in name.casefold()


def back_to(product_name: str | None) -> str:
    """The label of the button that leads back to the caller's own site."""
    if product_name:
        return gettext("Back to {product}").replace("{product}", product_name)
    return gettext("Back to where you came from")


def mail_to_colleague(company: str | None, address: str, expires_at: datetime) -> str:
    """A ``mailto:`` without a recipient that asks a colleague to connect the accounts at ``address``."""
    name = company or gettext("our company")
    subject = gettext("Please connect the accounts of {company}").replace("{company}", name)
    body = gettext(
        "Hello,\n\nwe were asked to connect the software that {company} keeps its books in. You hold the "
        "login, so could you do it for us? It takes a few minutes:\n\n{address}\n\n"
        "Whoever has this link can connect and disconnect our accounts, so please do not pass it on. "
        "It works until {moment}.\n\nThank you"
    )
    values = {"{company}": name, "{address}": address, "{moment}": moment(expires_at)}
    for placeholder, value in values.items():
        body = body.replace(placeholder, value)
    return f"mailto:?subject={quote(subject)}&body={quote(body)}"


def numbered_name(platform: str, number: int, begun_at: datetime) -> str:
    """The name of one of several connections to a platform."""
    text = gettext("{platform} {number} (begun {day})").replace("{number}", str(number))
    return text.replace("{day}", day(begun_at)).replace("{platform}", platform)


def name_of(text: str) -> str:
    """A name from outside that does not change the writing direction of the sentence around it.

    Directional control characters are removed. A name in a right-to-left script is isolated, and in a
    language that is written so, every name.
    https://www.w3.org/International/questions/qa-bidi-unicode-controls
    """
    plain = _without_directions(text)
    is_isolated = current().is_right_to_left or any(
        unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in plain
    )
    return f"\u2068{plain}\u2069" if is_isolated else plain


def quotation(text: str) -> str:
    """A message from Codat or a platform, without ids, which mean nothing to a merchant."""
    return " ".join(_ID.sub("…", _without_directions(text)).split())


_ID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_DIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})


def initials(name: str) -> str:
    """Letters that replace a missing logo."""
    words = _without_directions(name).split()[:2]
    return "".join(word[0] for word in words if word[0].isalnum()).upper()


def _without_directions(text: str) -> str:
    return "".join(character for character in text if character not in _DIRECTIONAL)


def paused(until: datetime) -> str:
    """The status of a dataset that is paused."""
    return gettext("Paused until {moment}").replace("{moment}", moment(until))


def of_status(status: str, platform: str, *, failed: bool) -> str:
    """The status of a dataset in a few words; ``failed``: reading it has failed."""
    fallback = mark("Could not be read") if failed else mark("Reading")
    return gettext(_STATUSES.get(status, fallback)).replace("{platform}", platform)
