"""The platforms as tiles, in groups. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from processor.journey import PlatformView
from processor.journey.search import GROUPS, group_of
from processor.web.merchant.cards import ACCOUNTING, Card, in_order, logo_of
from processor.web.merchant.copy import terms

_OWN_BUTTON = ("quickbooks", "intuit")
"""Intuit requires that its own button, with hover, is what people press.

https://docs.codat.io/auth-flow/build/build-flow
"""


@dataclass(frozen=True, slots=True)
class Tile:
    """A platform to choose. With ``button_url`` that picture is the button, and no words of ours.

    ``badge`` and ``tone`` say how its connection stands, as everywhere; ``None``: there is none. ``expect``:
    what to know before choosing it.
    """

    key: str
    name: str
    logo_url: str | None
    initials: str
    is_beta: bool
    button_url: str | None
    button_hover_url: str | None
    badge: str | None
    tone: str | None
    expect: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """Tiles of one source type; ``taken_by`` names the accounting platform that leaves no room for more."""

    key: str
    label: str
    tiles: tuple[Tile, ...]
    taken_by: str | None = None


def groups(platforms: Sequence[PlatformView], cards: Sequence[Card]) -> list[Group]:
    """The platforms in groups, in the order of the page, empty groups left out."""
    stands = {one.platform_key: one for one in reversed(in_order(cards))}
    accounting = next((one.name for one in cards if one.is_linked and one.group == ACCOUNTING), None)
    found: dict[str, list[Tile]] = {key: [] for key in GROUPS}
    for platform in platforms:
        found[group_of(platform.source_type)].append(_tile(platform, stands.get(platform.key)))
    return [
        Group(key, GROUPS[key], tuple(tiles), accounting if key == ACCOUNTING else None)
        for key, tiles in found.items()
        if tiles
    ]


def _tile(platform: PlatformView, connected: Card | None) -> Tile:
    container = platform.button_url if any(word in platform.name.casefold() for word in _OWN_BUTTON) else None
    name = terms.name_of(platform.name)
    return Tile(
        key=platform.key,
        name=name,
        logo_url=logo_of(platform),
        initials="".join(word[0] for word in platform.name.split()[:2]).upper(),
        is_beta=platform.is_beta,
        button_url=container,
        button_hover_url=platform.button_hover_url if container else None,
        badge=connected.words.badge if connected else None,
        tone=connected.words.tone if connected else None,
        expect=terms.on_premise_briefly(name) if platform.is_on_premise else None,
    )
