"""Which platforms can be chosen: all that Codat has enabled, and those that a company is offered."""

from collections.abc import Sequence
from dataclasses import dataclass

from processor.codat.names import source_type_of
from processor.journey.errors import CodatNotSet
from processor.journey.models import CompanyView, PlatformChoice, PlatformView
from processor.journey.platforms import Platforms
from processor.journey.search import PlatformMatches
from processor.journey.search import search as find_platforms
from processor.settings.definitions import Settings


@dataclass(frozen=True, slots=True)
class Offer:
    """The platforms that a company may choose from on its pages, in their order."""

    platforms: tuple[PlatformView, ...]
    recommended: frozenset[str] = frozenset()

    def has(self, platform_key: str) -> bool:
        """Whether the platform is offered."""
        return any(platform.key == platform_key for platform in self.platforms)

    def search(self, text: str) -> PlatformMatches:
        """Those that ``text`` may mean, with a hint if they are listed under another name."""
        return find_platforms(self.platforms, text)


class Offers:
    """Lists platforms. Raises :class:`CodatNotSet` without CODAT_API_KEY, and ``CodatError``."""

    def __init__(self, platforms: Platforms | None, settings: Settings) -> None:
        self._platforms, self._allows_sandbox = platforms, settings.allow_sandbox
        self._default = PlatformChoice(
            settings.platforms_shown or None, settings.platforms_hidden, settings.platforms_recommended
        )

    def enabled(self, *, source_type: str | None = None, search: str | None = None) -> list[PlatformView]:
        """The enabled platforms that match, by source type and name.

        Raises :class:`Invalid` for a source type that Codat does not have.
        """
        return matching(self._all(), source_type, search)

    def of_company(self, company: CompanyView) -> Offer:
        """What the company is offered: by its own choice, else by the settings, of what it is asked for.

        The recommended ones come first within their source type.
        """
        choice, default = company.platforms, self._default
        shown = default.shown if choice.shown is None else choice.shown
        hidden = (default.hidden if choice.hidden is None else choice.hidden) or ()
        recommended = (default.recommended if choice.recommended is None else choice.recommended) or ()
        asked_types = [asked.source_type for asked in company.asked_for]
        offered = [
            platform
            for platform in self._all()
            if (self._allows_sandbox or not platform.is_sandbox)
            and (shown is None or platform.key in shown)
            and platform.key not in hidden
            and (not asked_types or platform.counts_as in asked_types)
        ]
        types = asked_types or list(dict.fromkeys(platform.counts_as for platform in offered))
        offered.sort(key=lambda platform: (types.index(platform.counts_as), platform.key not in recommended))
        return Offer(tuple(offered), frozenset(recommended))

    def _all(self) -> tuple[PlatformView, ...]:
        if self._platforms is None:
            raise CodatNotSet()
        return self._platforms.all()


def matching(
    platforms: Sequence[PlatformView], source_type: str | None, search: str | None
) -> list[PlatformView]:
    """The platforms of this source type that ``search`` may mean; ``None``: any."""
    if source_type is not None:
        known_type = source_type_of(source_type)
        platforms = [platform for platform in platforms if platform.source_type == known_type]
    return find_platforms(platforms, search or "").platforms
