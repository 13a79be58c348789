"""Templates of the text to which users agree: found, rendered, and tried once with every variable.

A file is called ``PRODUCT.LANGUAGE.txt``, such as ``lending.en.txt``; ``default`` stands for any product. Its
first line is the title.
"""

import functools
import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

DEFAULT_PRODUCT = "default"
BUILT_IN = Path(__file__).resolve().parents[1] / "journey" / "templates" / "consent"
SUFFIX = ".txt"
LONGEST_TEXT = 20_000
"""Characters of a rendered text: it is shown on a page and kept with every consent."""

VERSION_DIGITS = 12

_NAME = re.compile(r"([A-Za-z0-9_-]{1,100})\.([a-z]{2,3}(?:-[A-Z]{2})?)\.txt")
_environment = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
)

_GIVEN = {"company": "A company", "contact": "a@b.example", "privacy_policy": "https://b.example/"}
SAMPLES: tuple[Mapping[str, str | None], ...] = tuple(
    {"lender": "A lender", **dict(zip(_GIVEN, values, strict=True))}
    for values in itertools.product(*((value, None) for value in _GIVEN.values()))
)
"""Values with which each template is tried: each is given or not, but for the one that always is."""


@dataclass(frozen=True, slots=True)
class ConsentTemplate:
    """The template of one product and language; ``version`` names its exact wording."""

    product: str
    language: str
    source: str

    @property
    def version(self) -> str:
        """Product, language, and a short hash of the template."""
        digest = hashlib.sha256(self.source.encode()).hexdigest()[:VERSION_DIGITS]
        return f"{self.product}.{self.language}-{digest}"

    def render(self, values: Mapping[str, str | None]) -> str:
        """The text with ``values``; raises ``ValueError`` where it cannot be used."""
        try:
            text = _compiled(self.source).render(values)
        except (TemplateError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from None
        lines = (line.rstrip() for line in text.strip().splitlines())
        text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
        if not text:
            raise ValueError("the text is empty")
        return text


@functools.lru_cache(maxsize=64)
def _compiled(source: str) -> Template:
    """The compiled template; every page with a text renders one, and compiling takes longer than that."""
    return _environment.from_string(source)


def load_templates(folder: Path | None) -> tuple[ConsentTemplate, ...]:
    """The built-in templates and those in ``folder``, which replace built-in ones of the same name.

    Raises ``ValueError`` for a file that is no text in UTF-8.
    """
    has_default = folder is not None and any(folder.glob(f"{DEFAULT_PRODUCT}.*{SUFFIX}"))
    places = (folder,) if has_default else (BUILT_IN, folder)
    paths = {path.name: path for place in places if place for path in sorted(place.glob(f"*{SUFFIX}"))}
    templates = []
    for name, path in paths.items():
        match = _NAME.fullmatch(name)
        if match is not None:
            try:
                templates.append(ConsentTemplate(match[1], match[2], path.read_text(encoding="utf-8")))
            except (OSError, UnicodeDecodeError):
                raise ValueError(f"{name} cannot be read as text in UTF-8") from None
    return tuple(templates)


def template_mistakes(folder: Path) -> Iterator[str]:
    """A sentence for each file of CONSENT_TEMPLATES_DIR that cannot be used."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        if _NAME.fullmatch(path.name) is None:
            yield f"CONSENT_TEMPLATES_DIR: {path.name} must be called PRODUCT.LANGUAGE.txt."
    try:
        templates = load_templates(folder)
    except ValueError as error:
        yield f"CONSENT_TEMPLATES_DIR: {error}."
        return
    for template in templates:
        for values in SAMPLES:
            try:
                if len(template.render(values)) > LONGEST_TEXT:
                    raise ValueError(f"the text is longer than {LONGEST_TEXT} characters")
            except ValueError as error:
                name = f"{template.product}.{template.language}{SUFFIX}"
                yield f"CONSENT_TEMPLATES_DIR: {name} does not render: {error}."
                break
