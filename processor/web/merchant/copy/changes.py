"""Texts about disconnecting and deleting a connection: the question before, and the message after. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

DONE: Mapping[str, str] = {
    "disconnected": "It is disconnected: no new data is read.",
    "deleted": "The connection is deleted. What was read through it was deleted at Codat with it.",
}
"""Messages after a change, by the value of the address parameter ``done``."""


@dataclass(frozen=True, slots=True)
class ConfirmQuestion:
    """The question before a change: its title, the consequences, and the label of the button."""

    title: str
    consequences: tuple[str, ...]
    label: str


_QUESTIONS: Mapping[str, ConfirmQuestion] = {
    "unlink": ConfirmQuestion(
        "Disconnect {platform}?",
        (
            "No new data is read from {platform}.",
            "Data that was read already stays where it is; to have it deleted, delete the connection.",
            "You can connect it again at any time.",
        ),
        "Disconnect",
    ),
    "delete": ConfirmQuestion(
        "Delete the connection to {platform}?",
        (
            "Access to {platform} ends at once.",
            "The connection disappears from this list for good.",
            "What was read through it is deleted with it at Codat, which reads it for us, and cannot be "
            "brought back.",
            "Copies that {keeper} made before are not deleted by this: ask there.",
            "To share data from {platform} again, you have to add it anew.",
        ),
        "Delete for good",
    ),
}


def question(change: str, platform: str, product_name: str | None) -> ConfirmQuestion:
    """The question before ``change``, which is ``unlink`` or ``delete``; ``platform`` is its full name."""
    template = _QUESTIONS[change]
    keeper = product_name or "whoever sent you the link"
    return ConfirmQuestion(
        template.title.replace("{platform}", platform),
        tuple(
            consequence.replace("{platform}", platform).replace("{keeper}", keeper)
            for consequence in template.consequences
        ),
        template.label,
    )
