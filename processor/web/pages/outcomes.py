"""What the way back from Codat's Link says, in plain words. Pure."""

from dataclasses import dataclass

from processor.journey import LinkOutcome


@dataclass(frozen=True, slots=True)
class Notice:
    """``tone`` is how it looks, ``title`` and ``text`` what happened, as far as the address claims."""

    tone: str
    title: str
    text: str


_NOTICES = {
    "connected": Notice(
        "good",
        "Thank you, you are back",
        "Below you see how it goes on. You can close this page whenever you like.",
    ),
    "left": Notice(
        "calm",
        "You left before anything was connected",
        "Nothing was connected. You can go on whenever you like.",
    ),
    "cancelled": Notice(
        "bad",
        "You did not give access",
        "It was cancelled, so nothing was connected. If that was not what you wanted, try again.",
    ),
    "failed": Notice(
        "bad",
        "Something went wrong",
        "The platform could not be connected because of an error that is not yours. "
        "Wait a few minutes and try again.",
    ),
    "unsupported": Notice(
        "bad",
        "This platform is not supported",
        "It cannot be connected yet. Choose another one, or look at what to do when yours is missing.",
    ),
    "unknown": Notice(
        "calm",
        "You are back",
        "We look at what happened; below you see how it stands as soon as we know.",
    ),
}
_TO_STRANGERS = {
    "connected": "We check that now. You can close this page; open your link again to see how it goes on.",
    "unknown": "You can close this page. Open your link again to see how your connections stand.",
}
_TELLING = ("failed", "cancelled", "unsupported", "unknown")


def notice_of(outcome: LinkOutcome, *, to_stranger: bool) -> Notice:
    """The message for an outcome; somebody who has no link in this browser sees nothing "below"."""
    found = _NOTICES[outcome.kind]
    if to_stranger and outcome.kind in _TO_STRANGERS:
        return Notice(
            "calm" if found.tone == "good" else found.tone, found.title, _TO_STRANGERS[outcome.kind]
        )
    return found


def quoted(outcome: LinkOutcome) -> str | None:
    """What the other side said of a failure, to be shown as a quotation; ``None`` where it adds nothing."""
    return outcome.message if outcome.kind in _TELLING else None
