"""Notices about the redirect back from Codat's Link. Pure."""

from collections.abc import Collection
from dataclasses import dataclass

from handlers.state import State
from processor.journey.link_redirect import LinkRedirect
from processor.languages.current import gettext, mark
from processor.web.merchant.card import Card
from processor.web.merchant.copy import terms


@dataclass(frozen=True, slots=True)
class RedirectNotice:
    """A notice about what the address claims; ``tone`` as in :class:`StateText`."""

    tone: str
    title: str
    text: str


_NOTICES = {
    "connected": RedirectNotice(
        "good",
        mark("Thank you, you are back"),
        mark("Below you see how it goes on. You can close this page whenever you like."),
    ),
    "left": RedirectNotice(
        "calm",
        mark("You left before anything was connected"),
        mark("Nothing was connected. You can go on whenever you like."),
    ),
    "cancelled": RedirectNotice(
        "calm",
        mark("You did not give access"),
        mark("Nothing was connected. You can try again whenever you like."),
    ),
    "failed": RedirectNotice(
        "bad",
        mark("Something went wrong"),
        mark(
            "The platform could not be connected because of an error that is not yours. "
            "Wait a few minutes and try again."
        ),
    ),
    "unsupported": RedirectNotice(
        "bad",
        mark("This platform is not supported"),
        mark("It cannot be connected yet. Choose another one, or look at what to do when yours is missing."),
    ),
    "unknown": RedirectNotice(
        "calm",
        mark("You are back"),
        mark("We look at what happened; below you see how it stands as soon as we know."),
    ),
}
_TO_STRANGERS = {
    "connected": mark(
        "We check that now. You can close this page; open your link again to see how it goes on."
    ),
    "unknown": mark("You can close this page. Open your link again to see how your connections stand."),
}
_QUOTED_KINDS = ("failed", "unsupported", "unknown")
_NOT_CONNECTED_KINDS = ("left", "failed", "cancelled", "unsupported")
"""Kinds that claim that nothing was connected, which the stored state may contradict."""

_GIVEN = RedirectNotice(
    "calm",
    mark("You are back"),
    mark("Access is given, whatever came of this visit. Below you see how it stands."),
)
_SEE_BELOW = RedirectNotice("calm", mark("You are back"), mark("Below you see how it stands."))


def notice_of(redirect: LinkRedirect, *, to_stranger: bool) -> RedirectNotice:
    """The notice of a redirect; a browser without a visit shows no connections "below" it."""
    notice = _NOTICES[redirect.kind]
    if to_stranger and redirect.kind in _TO_STRANGERS:
        tone = "calm" if notice.tone == "good" else notice.tone
        notice = RedirectNotice(tone, notice.title, _TO_STRANGERS[redirect.kind])
    return _translated(notice)


def notice_beside(redirect: LinkRedirect, card: Card) -> RedirectNotice | None:
    """The notice above its connection, which never contradicts the card; ``None`` if the card suffices."""
    if card.is_barred or _is_old(redirect) or (redirect.kind in _NOT_CONNECTED_KINDS and card.is_unfinished):
        return None
    if redirect.kind in _NOT_CONNECTED_KINDS and card.is_linked:
        return _translated(_GIVEN)
    if redirect.kind in _NOT_CONNECTED_KINDS and card.state is State.DELETED:
        return _translated(_SEE_BELOW)
    return notice_of(redirect, to_stranger=False)


def notice_above(redirect: LinkRedirect, cards: Collection[Card]) -> RedirectNotice | None:
    """The notice above a list of connections, when it is not known which of them it is about."""
    if _is_old(redirect):
        return None
    if redirect.kind in _NOT_CONNECTED_KINDS and any(card.is_linked for card in cards):
        return _translated(_SEE_BELOW)
    return notice_of(redirect, to_stranger=False)


def _translated(notice: RedirectNotice) -> RedirectNotice:
    return RedirectNotice(notice.tone, gettext(notice.title), gettext(notice.text))


def _is_old(redirect: LinkRedirect) -> bool:
    """Whether the merchant has read the notice, so that the page is being reloaded."""
    return redirect.kind == "connected" and not redirect.is_new


def quotation_of(redirect: LinkRedirect, card: Card) -> str | None:
    """The redirect's message about a failure, to be quoted; ``None`` when it is not shown.

    Anybody can write such an address, so the message is shown only beside the connection that it names, while
    that waits for access, and unless Codat has reported the same error.
    """
    if (
        redirect.kind not in _QUOTED_KINDS
        or not card.is_unfinished
        or card.is_barred
        or redirect.message is None
    ):
        return None
    quotation = terms.quotation(redirect.message)
    return None if quotation == card.error else quotation
