"""Brands of the merchants' pages: the one of the settings, and those of the folder BRAND_DIR.

Each sub-folder of BRAND_DIR is a brand: its name is what a sign-up calls ``brand``, and its file
``brand.toml`` says what differs from the settings.
"""

import functools
import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from processor.settings import colors, web_addresses

DEFAULT_BRAND = "default"
FILE_NAME = "brand.toml"
PICTURE_TYPES: Mapping[str, str] = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".jpg": "image/jpeg",
    ".ico": "image/x-icon",
}
LARGEST_PICTURE = 200_000
"""Bytes: a phone loads it before the first tile."""

LONGEST_TEXT = 300
MOST_LINKS = 8
STRONGER = 0.3
"""How much darker (on dark pages lighter) the colour is under the pointer."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_TEXTS = ("name", "support_email", "heading", "lead")
_COLORS = {"color": False, "color_dark": True}
_PICTURES = ("logo", "favicon")


@dataclass(frozen=True, slots=True)
class Brand:
    """What the pages of a brand show; ``None`` and ``()`` mean: nothing of its own.

    ``color`` is for light pages, ``color_dark`` for dark ones; ``links`` are labels and addresses for the
    foot of each page; ``heading`` and ``lead`` are the first words of the journey.
    """

    key: str = DEFAULT_BRAND
    name: str | None = None
    support_email: str | None = None
    privacy_policy_url: str | None = None
    color: str | None = None
    color_dark: str | None = None
    logo: Path | None = None
    favicon: Path | None = None
    links: tuple[tuple[str, str], ...] = ()
    heading: str | None = None
    lead: str | None = None

    @property
    def stylesheet(self) -> str | None:
        """The rules that colour the pages; ``None`` without a colour."""
        rules = ""
        if self.color is not None:
            strong = colors.mix(self.color, colors.BLACK, STRONGER)
            rules += f":root {{ {_properties(self.color, strong, colors.ON_LIGHT)} }}\n"
        dark = self.color_dark or (self.color and colors.nearest_legible(self.color, dark=True))
        if dark is not None:
            strong = colors.mix(dark, colors.WHITE, STRONGER)
            properties = _properties(dark, strong, colors.ON_DARK)
            rules += f"@media (prefers-color-scheme: dark) {{ :root {{ {properties} }} }}\n"
        return rules or None

    @property
    def version(self) -> str:
        """A short hash of the files, so that browsers can keep them for long."""
        return _version_of(self)


@functools.cache
def _version_of(brand: Brand) -> str:
    digest = hashlib.sha256((brand.stylesheet or "").encode())
    for picture in filter(None, (brand.logo, brand.favicon)):
        digest.update(picture.read_bytes())
    return digest.hexdigest()[:10]


def load_brands(values: Mapping[str, Any]) -> tuple[dict[str, Brand], list[str]]:
    """The brands by key, and a sentence for each mistake; ``values`` are the settings by field."""
    mistakes: list[str] = []
    brand = Brand(
        name=values.get("product_name"),
        support_email=values.get("support_email"),
        privacy_policy_url=values.get("privacy_policy_url"),
        color=values.get("brand_color"),
        color_dark=values.get("brand_color_dark"),
        logo=values.get("brand_logo"),
        favicon=values.get("brand_favicon"),
        links=values.get("brand_links", ()),
    )
    mistakes += _brand_mistakes(brand, "BRAND_", {"color": "COLOR", "color_dark": "COLOR_DARK"})
    brands = {DEFAULT_BRAND: brand}
    folder: Path | None = values.get("brand_dir")
    for path in sorted(folder.iterdir()) if folder is not None else ():
        if path.is_dir() and not path.name.startswith("."):
            try:
                brands[path.name] = _read_brand(path, brand)
            except ValueError as error:
                mistakes += [f"BRAND_DIR: {path.name}/{mistake}." for mistake in error.args]
                continue
            mistakes += _brand_mistakes(brands[path.name], f"BRAND_DIR: {path.name}/{FILE_NAME}: ", {})
    return brands, mistakes


def brand_of(brands: Mapping[str, Brand], key: str | None) -> Brand:
    """The brand with this key; the one of the settings without a key, or when its folder was taken away."""
    return brands.get(key or DEFAULT_BRAND) or brands.get(DEFAULT_BRAND) or Brand()


def _read_brand(folder: Path, default: Brand) -> Brand:
    """The brand in a folder; raises ``ValueError`` with its mistakes: sentences that begin with its path."""
    if not _NAME.fullmatch(folder.name) or folder.name == DEFAULT_BRAND:
        raise ValueError(" must have a name of lower-case letters, digits and hyphens, other than default")
    try:
        document = tomllib.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{FILE_NAME} is missing") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{FILE_NAME} cannot be read: {error}") from None
    fields: dict[str, Any] = {"logo": None, "favicon": None, "color": None, "color_dark": None}
    mistakes = []
    for name, value in document.items():
        try:
            fields[name] = _read_value(folder, name, value)
        except ValueError as mistake:
            mistakes.append(f"{FILE_NAME}: {name} {mistake}")
    if mistakes:
        raise ValueError(*mistakes)
    return replace(default, key=folder.name, **fields)


def _read_value(folder: Path, name: str, value: object) -> object:
    """The value of one line of ``brand.toml``; raises ``ValueError`` with the rest of a sentence."""
    if name == "links":
        return _read_links(value)
    if (
        not isinstance(value, str)
        or not value.strip()
        or len(value) > LONGEST_TEXT
        or not value.isprintable()
    ):
        raise ValueError(f"must be one line of text of at most {LONGEST_TEXT} characters")
    if name in _TEXTS:
        return value.strip()
    if name in _COLORS:
        try:
            return colors.parse_color(value)
        except ValueError:
            raise ValueError("must be a colour such as #0d5b52") from None
    if name in _PICTURES:
        return _picture_in(folder, value)
    if name == "privacy_policy_url":
        return _web_address(value)
    raise ValueError("is not known")


def _picture_in(folder: Path, name: str) -> Path:
    path = folder / name
    if Path(name).name != name or not path.is_file():
        raise ValueError(f"names the file {name}, which is missing")
    return path


def _read_links(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or len(value) > MOST_LINKS:
        raise ValueError(f"must be a table of at most {MOST_LINKS} labels with their addresses")
    return tuple((str(label)[:LONGEST_TEXT], _web_address(str(url))) for label, url in value.items())


def _web_address(text: str) -> str:
    try:
        return str(web_addresses.parse(text))
    except ValueError as mistake:
        reason = str(mistake).rstrip(".")
        raise ValueError(f"has an address that cannot be used: {reason}") from None


def parse_links(text: str) -> tuple[tuple[str, str], ...]:
    """``Label https://…`` separated by commas; raises ``ValueError``."""
    links = []
    for link in filter(None, (part.strip() for part in text.split(","))):
        label, _, url = link.rpartition(" ")
        if not label.strip() or not label.isprintable():
            raise ValueError("a link without a label")
        links.append((label.strip(), str(web_addresses.parse(url))))
    if not 0 < len(links) <= MOST_LINKS:
        raise ValueError("no links, or too many")
    return tuple(links)


def _brand_mistakes(brand: Brand, place: str, names: Mapping[str, str]) -> Iterator[str]:
    for name, dark in _COLORS.items():
        color = getattr(brand, name)
        if color is not None and not colors.is_legible(color, dark=dark):
            nearest = colors.nearest_legible(color, dark=dark)
            pages = "dark" if dark else "light"
            yield (
                f"{place}{names.get(name, name)} {color} is not legible on {pages} pages (WCAG AA asks for a"
                f" contrast of {colors.ENOUGH}); the nearest colour that is: {nearest}."
            )
    for name in _PICTURES:
        picture: Path | None = getattr(brand, name)
        if picture is None:
            continue
        if picture.suffix.lower() not in PICTURE_TYPES:
            yield f"{place}{name} must be a picture: {', '.join(PICTURE_TYPES)}."
        elif picture.stat().st_size > LARGEST_PICTURE:
            yield f"{place}{name} is larger than {LARGEST_PICTURE} bytes."


def _properties(color: str, strong: str, text: str) -> str:
    return f"--accent: {color}; --accent-strong: {strong}; --on-accent: {text};"
