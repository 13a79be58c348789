"""Every catalogue has every message of the source, and the templates have no text beside their messages."""

import functools
import re
import tomllib
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from processor.languages import catalogues, messages
from processor.languages.catalogues import FOLDER, LANGUAGES, SOURCE

TRANSLATED = [tag for tag in LANGUAGES if tag != SOURCE]
PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w+\}|</?[a-z]+|(?:href|id|class)=\"[^\"]*\"")
"""What a translation takes over: placeholders, and HTML with its addresses and classes."""

COUNTS = ("%(num)s", "%(count)s")
TEMPLATES = sorted(
    path
    for folder in ("web/templates/merchant", "delivery/templates/email")
    for path in (messages.ROOT / folder).iterdir()
)
NOT_TEXT = {"Powered by Codat", "text", "Subject:", "narrow"}
"""A mark that is the same in every language, and words that nobody reads."""


@functools.cache
def source() -> Catalog:
    return messages.collected()


def forms(text: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text or ())


def faults(message: Message, of_source: Message, plurals: int) -> list[str]:
    translations = forms(message.string)
    expected = 1 if isinstance(of_source.id, str) else plurals
    wrong = [] if len(translations) == expected and all(translations) else ["not translated"]
    wrong += ["fuzzy"] * message.fuzzy
    counted = COUNTS if expected > 1 else ()  # a language may write "one" and "two" in words

    def placeholders(text: str) -> list[str]:
        return sorted(result for result in PLACEHOLDER.findall(text) if result not in counted)

    wanted = [placeholders(text) for text in forms(of_source.id)]
    wrong += [
        f"other placeholders: {text}" for text in translations if text and placeholders(text) not in wanted
    ]
    return wrong


def test_an_installed_package_has_every_catalogue() -> None:
    pyproject = tomllib.loads((messages.ROOT.parent / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = pyproject["tool"]["setuptools"]["package-data"]["*"]
    package = FOLDER.parent
    carried = {path for pattern in patterns for path in package.glob(pattern)}
    assert {FOLDER / f"{tag}.po" for tag in TRANSLATED} <= carried


def test_there_are_messages_and_languages() -> None:
    assert len(source()) > 300
    assert set(LANGUAGES) == {"ar", "de", "en", "es", "fr", "nl"}
    assert all(path.stem in LANGUAGES for path in FOLDER.iterdir())


@pytest.mark.parametrize("tag", TRANSLATED)
def test_every_message_is_translated(tag: str) -> None:
    with (FOLDER / f"{tag}.po").open("rb") as file:
        catalogue = read_po(file, locale=tag.replace("-", "_"), abort_invalid=True)
    wrong = {}
    for of_source in source():
        if not of_source.id:
            continue
        message = catalogue.get(of_source.id, of_source.context)
        problems = ["missing"] if message is None else faults(message, of_source, catalogue.num_plurals)
        if problems:
            wrong[of_source.id] = problems
    assert wrong == {}
    known = {(message.id, message.context) for message in source()}
    assert [message.id for message in catalogue if (message.id, message.context) not in known] == []
    assert not catalogue.obsolete


@pytest.mark.parametrize(
    ("translation", "fault"),
    [
        ("", "not translated"),
        ("Hallo", "other placeholders"),
        ("Hallo {platforms}", "other placeholders"),
        ("<b>Hallo</b> {platform}", "other placeholders"),
    ],
)
def test_a_bad_translation_is_found(translation: str, fault: str) -> None:
    of_source = Message("Hello {platform}")
    assert fault in " ".join(faults(Message("Hello {platform}", translation), of_source, 2))
    assert faults(Message("Hello {platform}", "Hallo {platform}"), of_source, 2) == []
    fuzzy = Message("Hello {platform}", "Hallo {platform}", flags=["fuzzy"])
    assert faults(fuzzy, of_source, 2) == ["fuzzy"]


def unmarked(text: str) -> list[str]:
    """Words of a template that stand outside of its messages."""
    text = re.sub(r"\{%-?\+? *trans\b.*?endtrans *\+?-?%\}", "", text, flags=re.DOTALL)
    text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|<code>.*?</code>", "", text, flags=re.DOTALL)
    attributes = re.findall(r"(?:aria-label|alt|placeholder|title|data-(?!copy)[a-z-]+)=\"([^\"]*)\"", text)
    plain = re.sub(r"<[^>]*>", "\n", text)
    words = [line.strip() for line in (*plain.splitlines(), *attributes)]
    return [line for line in words if re.search(r"[A-Za-z]{2}", line) and line not in NOT_TEXT]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_have_no_text_beside_their_messages(path: Path) -> None:
    assert unmarked(path.read_text(encoding="utf-8")) == []


def test_a_text_beside_the_messages_is_found() -> None:
    assert unmarked('<p>{{ _("Hello") }} there</p>') == ["there"]
    assert unmarked('<nav aria-label="Pages">{% trans %}Hello{% endtrans %}</nav>') == ["Pages"]


@pytest.mark.parametrize(
    ("tag", "language"),
    [("fr", "fr"), ("fr-CA", "fr"), ("FR_be", "fr"), ("en-US", "en"), ("xx", None), ("", None), (None, None)],
)
def test_tags_from_outside_are_matched(tag: str | None, language: str | None) -> None:
    assert catalogues.match(tag) == language
