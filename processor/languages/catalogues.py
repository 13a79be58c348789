"""The translations, one file ``LANGUAGE.po`` each, read when a language is first used."""

import functools
import gettext
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

FOLDER = Path(__file__).resolve().parent / "catalogues"
SOURCE = "en"
"""The language in which the messages are written in the source; it needs no catalogue."""

LANGUAGES: Sequence[str] = (SOURCE, *sorted(path.stem for path in FOLDER.glob("*.po")))
"""The tags of the languages, such as ``fr`` or ``pt-BR``."""

_FORMATS = {SOURCE: "en-GB"}
"""Locales for formats where the tag alone stands for another region."""


@dataclass(frozen=True, slots=True)
class Language:
    """One language: ``tag`` as in HTML, ``name`` in the language itself, ``direction`` ``ltr`` or ``rtl``."""

    tag: str
    name: str
    direction: str
    locale: Locale

    @property
    def is_right_to_left(self) -> bool:
        """Whether it is written from right to left."""
        return self.direction == "rtl"

    @property
    def translations(self) -> gettext.NullTranslations:
        """Its catalogue, which is read once in a process."""
        return _translations(self.tag)


@functools.cache
def language(tag: str) -> Language:
    """The language with a tag of ``LANGUAGES``."""
    locale = Locale.parse(_FORMATS.get(tag, tag), sep="-")
    name = Locale.parse(tag, sep="-").get_display_name(tag.replace("-", "_")) or tag
    return Language(tag, name[:1].upper() + name[1:], locale.text_direction, locale)


def match(tag: str | None) -> str | None:
    """The language for a tag from outside, ``None`` if there is none: ``fr-CA`` is answered by ``fr``."""
    wanted = (tag or "").strip().replace("_", "-").casefold()
    by_tag = {known.casefold(): known for known in LANGUAGES}
    return by_tag.get(wanted) or by_tag.get(wanted.partition("-")[0])


@functools.cache
def _translations(tag: str) -> gettext.NullTranslations:
    if tag == SOURCE:
        return gettext.NullTranslations()
    with (FOLDER / f"{tag}.po").open("rb") as file:
        catalogue = read_po(file, locale=tag.replace("-", "_"), abort_invalid=True)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
