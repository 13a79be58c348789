"""Collects the messages of the source, and writes new ones into every catalogue: ``make languages``."""

import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

from processor.languages.catalogues import FOLDER

ROOT = FOLDER.parents[1]
TRANSLATED = (
    "delivery/templates/email",
    "web/templates/merchant",
    "web/merchant",
    "delivery/email_templates.py",
    "humanize.py",
    "journey",
    "languages/current.py",
)
"""Files and folders whose messages are translated, below ``processor``."""

KEYWORDS = {"_": None, "gettext": None, "mark": None, "ngettext": (1, 2)}
_OPTIONS = {"trimmed": "true", "silent": "false", "newstyle_gettext": "true"}
_METHODS = {".py": "python", ".html": "jinja2", ".txt": "jinja2"}
_NOISE = tuple(
    b'"' + name for name in (b"Project", b"Report", b"POT-", b"PO-", b"Last-", b"Language-Team", b"Generated")
)
"""Headers that say nothing, or change with each run."""

_CONSENT = "templates/consent"
"""Each language has a text of its own for the consent."""


@cache
def collected() -> Catalog:
    """The messages of the source, read once."""
    catalogue = Catalog(charset="utf-8", fuzzy=False)
    for path in _files():
        for _, message, comments, _context in extract_from_file(
            _METHODS[path.suffix], path, keywords=KEYWORDS, options=_OPTIONS
        ):
            location = (path.relative_to(ROOT).as_posix(), 1)
            catalogue.add(message, None, [location], user_comments=comments)
    return catalogue


def update(path: Path) -> None:
    """Bring a catalogue up to the source: new messages are empty, those that are gone are removed."""
    tag = path.stem
    old = Catalog()
    if path.stat().st_size:
        with path.open("rb") as file:
            old = read_po(file)
    catalogue = Catalog(locale=tag.replace("-", "_"), project="codat-processor", fuzzy=False)
    catalogue.header_comment = f"# {catalogue.locale.english_name if catalogue.locale else tag}"
    for message in collected():
        if message.id:
            known = old.get(message.id)
            text = known.string if known is not None and not known.fuzzy else ""
            catalogue.add(message.id, text, message.locations)
    written = io.BytesIO()
    write_po(written, catalogue, width=100, include_lineno=False)
    lines = written.getvalue().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if not line.startswith(_NOISE)))


def _files() -> Iterator[Path]:
    for name in TRANSLATED:
        place = ROOT / name
        paths = [place] if place.is_file() else sorted(place.rglob("*"))
        yield from (path for path in paths if path.suffix in _METHODS and _CONSENT not in path.as_posix())


if __name__ == "__main__":
    for path in sorted(FOLDER.glob("*.po")):
        update(path)
