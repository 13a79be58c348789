"""Which platforms can be chosen: those that Codat has enabled, by source type and name."""

from processor.codat.names import source_type_of
from processor.journey.errors import CodatNotSet
from processor.journey.models import PlatformView
from processor.journey.platforms import Platforms
from processor.journey.search import PlatformMatches
from processor.journey.search import search as find_platforms


class Offers:
    """Lists platforms. Raises :class:`CodatNotSet` without CODAT_API_KEY, and ``CodatError``."""

    def __init__(self, platforms: Platforms | None) -> None:
        self._platforms = platforms

    def enabled(self, *, source_type: str | None = None, search: str | None = None) -> list[PlatformView]:
        """The enabled platforms that match, by source type and name.

        Raises :class:`Invalid` for a source type that Codat does not have.
        """
        if self._platforms is None:
            raise CodatNotSet()
        platforms = self._platforms.all()
        if source_type is not None:
            known_type = source_type_of(source_type)
            platforms = tuple(platform for platform in platforms if platform.source_type == known_type)
        return find_platforms(platforms, search or "").platforms

    def search(self, text: str) -> PlatformMatches:
        """The enabled platforms that ``text`` may mean, with a hint if they are listed under another name."""
        return find_platforms(self.enabled(), text)
