"""What happens after a platform is chosen, and what the platform itself asks for. Pure.

Source of the needs: https://docs.codat.io/integrations, the pages of each platform for those who connect it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from processor.journey.models import PlatformView
from processor.languages.current import gettext, mark
from processor.web.merchant.copy import terms

NEXT_STEPS = (
    mark("You go to the pages of {platform}, sign in there and allow access."),
    mark("You come back here by yourself."),
    mark("We read your data: in some minutes as a rule. You can close the page meanwhile."),
)


@dataclass(frozen=True, slots=True)
class PlatformNeeds:
    """What to know about one platform; with ``to_prepare`` before going there."""

    sentences: tuple[str, ...] = ()
    to_prepare: bool = False


_NEEDS: Mapping[str, PlatformNeeds] = {
    "netsuite": PlatformNeeds(
        (
            mark("You need the login of an administrator at NetSuite."),
            mark(
                "On the way you install a bundle there and switch on SuiteScript, REST web services and "
                "token-based authentication; without them the connection fails."
            ),
        ),
        to_prepare=True,
    ),
    "intacct": PlatformNeeds(
        (
            mark("You need the rights of a full administrator at Sage Intacct, and access at entity level."),
            mark(
                "Have your company id at hand. On the way you switch on Web Services and create "
                "a user for them."
            ),
        ),
        to_prepare=True,
    ),
    "business central": PlatformNeeds(
        (
            mark(
                "On the way a package called “App Link” is installed in your Business Central. That takes "
                "10 to 20 minutes: leave its page open."
            ),
            mark("Leave the package where it is afterwards, for nothing can be read without it."),
        ),
        to_prepare=True,
    ),
    "quickbooks desktop": PlatformNeeds(
        (
            mark(
                "Do this at the Windows computer that QuickBooks Desktop runs on; you install a "
                "connector there."
            ),
            mark("Open your company in QuickBooks Desktop first: the connector reads the open one."),
            mark("It reads at night on weekdays, from 19:00 to 07:00, unless you choose other hours in it."),
        ),
        to_prepare=True,
    ),
    "sage 50": PlatformNeeds(
        (mark("Do this at the computer that Sage 50 runs on: you install a connector there."),),
        to_prepare=True,
    ),
    "xero": PlatformNeeds(
        (mark("Xero asks which organisation to share: choose the one that has the name of your company."),)
    ),
}
"""By a part of the name of the platform."""


def next_steps(platform: str) -> tuple[str, ...]:
    """What happens next, in three lines; ``platform`` is its full name, or a word for any."""
    return tuple(gettext(line).replace("{platform}", platform) for line in NEXT_STEPS)


def needs_of(platform: PlatformView | None) -> PlatformNeeds:
    """What the platform asks for, by its name."""
    if platform is None:
        return PlatformNeeds()
    name = platform.name.casefold()
    needs = next((needs for words, needs in _NEEDS.items() if words in name), PlatformNeeds())
    sentences = tuple(map(gettext, needs.sentences))
    if platform.is_on_premise:
        sentences = (terms.on_premise(terms.name_of(platform.name)), *sentences)
    return PlatformNeeds(sentences, needs.to_prepare)
