"""The list of platforms with their branding: how it is built and when it is stale. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from processor.codat.models import Branding, Integration
from processor.codat.names import SOURCE_TYPES
from processor.journey.models import PlatformView
from processor.journey.search import normalized

FRESH_FOR = timedelta(hours=24)
"""How long the list and the branding of a platform are used before they are read again."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The platforms as Codat listed them at ``fetched_at``, and when each one's branding was read, by key."""

    fetched_at: datetime
    platforms: tuple[PlatformView, ...]
    branding_read_at: Mapping[str, datetime]

    @property
    def has_all_branding(self) -> bool:
        """Whether the branding of every platform was read, even where Codat has none."""
        return all(platform.key in self.branding_read_at for platform in self.platforms)

    def is_stale(self, now: datetime) -> bool:
        """Whether the list is older than ``FRESH_FOR``."""
        return now - self.fetched_at >= FRESH_FOR

    def stale_branding(self, now: datetime) -> list[str]:
        """Keys of the platforms whose branding is missing or older than ``FRESH_FOR``."""
        read_at = self.branding_read_at
        return [
            platform.key
            for platform in self.platforms
            if platform.key not in read_at or now - read_at[platform.key] >= FRESH_FOR
        ]

    def get(self, key: str) -> PlatformView | None:
        """The platform with this key, or ``None``."""
        return next((platform for platform in self.platforms if platform.key == key), None)


def sort_key(platform: PlatformView) -> tuple[int, str, str]:
    """Sorts by source type in Codat's order, then by name."""
    source_type = platform.source_type or ""
    rank = SOURCE_TYPES.index(source_type) if source_type in SOURCE_TYPES else len(SOURCE_TYPES)
    return rank, normalized(platform.name), platform.key


def catalogue_of(rows: Sequence[Integration], previous: Catalogue | None, now: datetime) -> Catalogue:
    """The enabled platforms of ``rows``, with the branding that ``previous`` has."""
    branded = {} if previous is None else {platform.key: platform for platform in previous.platforms}
    platforms: dict[str, PlatformView] = {}
    for row in rows:
        if not row.enabled or row.key in platforms:
            continue
        platform = branded.get(row.key, PlatformView(row.key, row.name))
        platforms[row.key] = replace(
            platform,
            name=row.name,
            source_type=row.source_type,
            is_beta=row.is_beta,
            is_offline=row.is_offline,
            integration_id=row.integration_id,
            logo_url=row.logo_url if platform.logo_url is None else platform.logo_url,
        )
    read_at = {} if previous is None else previous.branding_read_at
    return Catalogue(
        now,
        tuple(sorted(platforms.values(), key=sort_key)),
        {key: at for key, at in read_at.items() if key in platforms},
    )


def with_branding(catalogue: Catalogue, brandings: Mapping[str, Branding | None], now: datetime) -> Catalogue:
    """The catalogue with ``brandings`` by platform key, read ``now``; ``None`` where Codat has none."""

    def branded(platform: PlatformView) -> PlatformView:
        branding = brandings.get(platform.key)
        if branding is None:
            return platform
        logo, square = branding.logo_full, branding.logo_square
        return replace(
            platform,
            logo_url=logo.src if logo else platform.logo_url,
            logo_alt=logo.alt if logo else platform.logo_alt,
            square_logo_url=square.src if square else platform.square_logo_url,
            button_url=branding.button.src if branding.button else None,
            button_hover_url=branding.button_hover.src if branding.button_hover else None,
        )

    return Catalogue(
        catalogue.fetched_at,
        tuple(branded(platform) for platform in catalogue.platforms),
        {**catalogue.branding_read_at, **dict.fromkeys(brandings, now)},
    )
