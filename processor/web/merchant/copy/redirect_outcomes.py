"""What the way back from Codat's Link says, in plain words. Pure."""

from collections.abc import Collection
from dataclasses import dataclass

from handlers.state import State
from processor.journey import LinkRedirect
from processor.web.merchant.cards import Card
from processor.web.merchant.copy import terms


@dataclass(frozen=True, slots=True)
class RedirectNotice:
    """``tone`` is how it looks, ``title`` and ``text`` what happened, as far as the address claims."""

    tone: str
    title: str
    text: str


_NOTICES = {
    "connected": RedirectNotice(
        "good",
        "Thank you, you are back",
        "Below you see how it goes on. You can close this page whenever you like.",
    ),
    "left": RedirectNotice(
        "calm",
        "You left before anything was connected",
        "Nothing was connected. You can go on whenever you like.",
    ),
    "cancelled": RedirectNotice(
        "calm",
        "You did not give access",
        "Nothing was connected. You can try again whenever you like.",
    ),
    "failed": RedirectNotice(
        "bad",
        "Something went wrong",
        "The platform could not be connected because of an error that is not yours. "
        "Wait a few minutes and try again.",
    ),
    "unsupported": RedirectNotice(
        "bad",
        "This platform is not supported",
        "It cannot be connected yet. Choose another one, or look at what to do when yours is missing.",
    ),
    "unknown": RedirectNotice(
        "calm",
        "You are back",
        "We look at what happened; below you see how it stands as soon as we know.",
    ),
}
_TO_STRANGERS = {
    "connected": "We check that now. You can close this page; open your link again to see how it goes on.",
    "unknown": "You can close this page. Open your link again to see how your connections stand.",
}
_TELLING = ("failed", "unsupported", "unknown")
_DENYING = ("left", "failed", "cancelled", "unsupported")
"""These say that nothing was connected, which what we know may contradict."""

_GIVEN = RedirectNotice(
    "calm", "You are back", "Access is given, whatever came of this visit. Below you see how it stands."
)
_SEE_BELOW = RedirectNotice("calm", "You are back", "Below you see how it stands.")


def notice_of(outcome: LinkRedirect, *, to_stranger: bool) -> RedirectNotice:
    """The message for an outcome; somebody who has no link in this browser sees nothing "below"."""
    found = _NOTICES[outcome.kind]
    if to_stranger and outcome.kind in _TO_STRANGERS:
        return RedirectNotice(
            "calm" if found.tone == "good" else found.tone, found.title, _TO_STRANGERS[outcome.kind]
        )
    return found


def notice_beside(outcome: LinkRedirect, card: Card) -> RedirectNotice | None:
    """The message for an outcome beside its connection: it claims nothing that the card contradicts.

    ``None`` where the card says it all: nobody reads one fact twice.
    """
    if card.is_barred or _is_old(outcome) or (outcome.kind in _DENYING and card.is_unfinished):
        return None
    if outcome.kind in _DENYING and card.is_linked:
        return _GIVEN
    if outcome.kind in _DENYING and card.state is State.DELETED:
        return _SEE_BELOW
    return notice_of(outcome, to_stranger=False)


def notice_above(outcome: LinkRedirect, cards: Collection[Card]) -> RedirectNotice | None:
    """The same above a list of connections, where nobody knows which of them it was."""
    if _is_old(outcome):
        return None
    if outcome.kind in _DENYING and any(one.is_linked for one in cards):
        return _SEE_BELOW
    return notice_of(outcome, to_stranger=False)


def _is_old(outcome: LinkRedirect) -> bool:
    """Whether the reader was thanked already: the page is loaded again."""
    return outcome.kind == "connected" and not outcome.is_new


def quoted(outcome: LinkRedirect, card: Card) -> str | None:
    """What the other side said of a failure, to be shown as a quotation; ``None`` where it adds nothing.

    Anybody can put words into an address, so they are shown only beside a connection that waits for access
    and was named with them, and where Codat has not told us the same itself.
    """
    if outcome.kind not in _TELLING or not card.is_unfinished or card.is_barred or outcome.message is None:
        return None
    said = terms.quotation(outcome.message)
    return None if said == card.error else said
