"""The platforms as tiles, in groups. Pure."""

from collections.abc import Container, Sequence
from dataclasses import dataclass

from processor.journey.models import PlatformView
from processor.journey.search import GROUPS, group_of
from processor.languages.current import gettext
from processor.web.merchant.card import ACCOUNTING, Card
from processor.web.merchant.cards import connected_accounting, in_order, logo_of
from processor.web.merchant.copy import terms

_BRANDED_BUTTON = ("quickbooks", "intuit")
"""Platforms whose own button, with its hover image, must be used.

https://docs.codat.io/auth-flow/build/build-flow
"""


@dataclass(frozen=True, slots=True)
class Tile:
    """A platform to choose. With ``button_url`` that image is the button, without a text.

    ``badge`` and ``tone`` describe its connection; ``None`` without one. ``note``: what to know before
    choosing it.
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
    note: str | None
    is_recommended: bool


@dataclass(frozen=True, slots=True)
class TileGroup:
    """Tiles of one source type; ``taken_by`` names the connected accounting platform that bars others."""

    key: str
    label: str
    tiles: tuple[Tile, ...]
    taken_by: str | None = None


def groups(
    platforms: Sequence[PlatformView],
    cards: Sequence[Card],
    *,
    recommended: Container[str] = (),
    asked_types: Sequence[str] | None = None,
) -> list[TileGroup]:
    """The non-empty groups of platforms, in the order of the page.

    ``asked_types`` are the source types that are asked for, in that order; ``None``: all are shown.
    """
    card_by_platform = {card.platform_key: card for card in reversed(in_order(cards))}
    tiles_by_group: dict[str, list[Tile]] = {
        key: [] for key in (GROUPS if asked_types is None else asked_types)
    }
    for platform in platforms:
        key = group_of(platform.source_type) if asked_types is None else platform.counts_as
        if key in tiles_by_group:
            card = card_by_platform.get(platform.key)
            tiles_by_group[key].append(_tile(platform, card, platform.key in recommended))
    return [
        TileGroup(
            key,
            gettext(GROUPS[key]),
            tuple(tiles),
            connected_accounting(cards) if key == ACCOUNTING else None,
        )
        for key, tiles in tiles_by_group.items()
        if tiles
    ]


def _tile(platform: PlatformView, card: Card | None, is_recommended: bool) -> Tile:
    is_branded = any(word in platform.name.casefold() for word in _BRANDED_BUTTON)
    button_url = platform.button_url if is_branded else None
    name = terms.name_of(platform.name)
    return Tile(
        key=platform.key,
        name=name,
        logo_url=logo_of(platform),
        initials=terms.initials(name),
        is_beta=platform.is_beta,
        button_url=button_url,
        button_hover_url=platform.button_hover_url if button_url else None,
        badge=card.text.badge if card else None,
        tone=card.text.tone if card else None,
        is_recommended=is_recommended,
        note=terms.on_premise_briefly(name) if platform.is_on_premise else None,
    )
