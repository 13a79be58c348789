"""The list of platforms with their pictures, and how it is made and renewed. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from processor.codat.models import Branding, Integration
from processor.codat.names import SOURCE_TYPES
from processor.journey.models import PlatformView
from processor.journey.search import plain

FRESH = timedelta(hours=24)
"""How long what was read from Codat counts as new."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The platforms as Codat listed them at ``fetched_at``; ``pictured`` says since when by platform."""

    fetched_at: datetime
    platforms: tuple[PlatformView, ...]
    pictured: Mapping[str, datetime]

    @property
    def is_pictured(self) -> bool:
        """Whether the pictures of every platform were looked for."""
        return all(one.key in self.pictured for one in self.platforms)

    def is_old(self, now: datetime) -> bool:
        """Whether the list is to be read anew."""
        return now - self.fetched_at >= FRESH

    def due(self, now: datetime) -> list[str]:
        """The platforms whose pictures are missing or old."""
        seen = self.pictured
        return [one.key for one in self.platforms if one.key not in seen or now - seen[one.key] >= FRESH]

    def get(self, key: str) -> PlatformView | None:
        """The platform with this key."""
        return next((one for one in self.platforms if one.key == key), None)


def sort_key(platform: PlatformView) -> tuple[int, str, str]:
    """By source type in Codat's order, then by name."""
    known = platform.source_type in SOURCE_TYPES
    kind = SOURCE_TYPES.index(platform.source_type or "") if known else len(SOURCE_TYPES)
    return kind, plain(platform.name), platform.key


def listed(rows: Sequence[Integration], before: Catalogue | None, now: datetime) -> Catalogue:
    """The platforms in ``rows``, with the pictures that are known already."""
    known = {} if before is None else {one.key: one for one in before.platforms}
    found: dict[str, PlatformView] = {}
    for row in rows:
        if not row.enabled or row.key in found:
            continue
        found[row.key] = replace(
            known.get(row.key, PlatformView(row.key, row.name)),
            name=row.name,
            source_type=row.source_type,
            is_beta=row.is_beta,
            is_offline=row.is_offline,
            integration_id=row.integration_id,
        )
        if found[row.key].logo_url is None:
            found[row.key] = replace(found[row.key], logo_url=row.logo_url)
    pictured = {} if before is None else {key: at for key, at in before.pictured.items() if key in found}
    return Catalogue(now, tuple(sorted(found.values(), key=sort_key)), pictured)


def with_pictures(catalogue: Catalogue, pictures: Mapping[str, Branding | None], now: datetime) -> Catalogue:
    """The same with ``pictures`` by platform, looked for ``now``; ``None`` where Codat has none."""

    def pictured(one: PlatformView) -> PlatformView:
        found = pictures.get(one.key)
        if found is None:
            return one
        logo = found.logo_full
        return replace(
            one,
            logo_url=logo.src if logo else one.logo_url,
            logo_alt=logo.alt if logo else one.logo_alt,
            square_logo_url=found.logo_square.src if found.logo_square else one.square_logo_url,
            button_url=found.button.src if found.button else None,
            button_hover_url=found.button_hover.src if found.button_hover else None,
        )

    return Catalogue(
        catalogue.fetched_at,
        tuple(pictured(one) for one in catalogue.platforms),
        {**catalogue.pictured, **dict.fromkeys(pictures, now)},
    )
