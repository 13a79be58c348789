"""Texts about disconnecting and deleting a connection: the question before, and the message after. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from processor.languages.current import gettext, mark

_AFTER: Mapping[str, str] = {
    "disconnected": mark("It is disconnected: no new data is read."),
    "deleted": mark("The connection is deleted. What was read through it was deleted at Codat with it."),
}


@dataclass(frozen=True, slots=True)
class ConfirmQuestion:
    """The question before a change: its title, the consequences, and the label of the button."""

    title: str
    consequences: tuple[str, ...]
    label: str


_QUESTIONS: Mapping[str, ConfirmQuestion] = {
    "unlink": ConfirmQuestion(
        mark("Disconnect {platform}?"),
        (
            mark("No new data is read from {platform}."),
            mark("Data that was read already stays where it is; to have it deleted, delete the connection."),
            mark("You can connect it again at any time."),
        ),
        mark("Disconnect"),
    ),
    "delete": ConfirmQuestion(
        mark("Delete the connection to {platform}?"),
        (
            mark("Access to {platform} ends at once."),
            mark("The connection disappears from this list for good."),
            mark(
                "What was read through it is deleted with it at Codat, which reads it for us, and cannot be "
                "brought back."
            ),
            mark("Copies that {keeper} made before are not deleted by this: ask there."),
            mark("To share data from {platform} again, you have to add it anew."),
        ),
        mark("Delete for good"),
    ),
}


def question(change: str, platform: str, product_name: str | None) -> ConfirmQuestion:
    """The question before ``change``, which is ``unlink`` or ``delete``; ``platform`` is its full name."""
    template = _QUESTIONS[change]
    keeper = product_name or gettext("whoever sent you the link")

    def fill(text: str) -> str:
        return gettext(text).replace("{platform}", platform).replace("{keeper}", keeper)

    return ConfirmQuestion(
        fill(template.title), tuple(map(fill, template.consequences)), gettext(template.label)
    )


def after(change: str) -> str | None:
    """The message after a change, by the value of the address parameter ``done``; ``None`` without one."""
    return gettext(_AFTER[change]) if change in _AFTER else None
