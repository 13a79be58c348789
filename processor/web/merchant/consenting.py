"""Consent on the pages: the text beside the platforms or on a page of its own, and what a form says of it.

A form carries the hash of the text that was on its page. One without it, or with that of an earlier text, is
answered with a page that asks.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flask import Response, request

from processor.journey.consent_texts import ConsentText
from processor.journey.models import LinkSession, PlatformView
from processor.languages.current import gettext, mark
from processor.web.dependencies import get_container
from processor.web.merchant import language_choice
from processor.web.merchant.card import Card
from processor.web.merchant.copy import next_steps, terms
from processor.web.merchant.link_session import PageVisit, journey
from processor.web.merchant.pages import page

FIELD = "consent"
INLINE = "choice"
"""The value of CONSENT with which the text stands beside the platforms."""

ANY_PLATFORM = mark("the platform")

_LINK = re.compile(r"(https?://[^\s<>\"]{1,500}|[^\s@<>\"]{1,100}@[A-Za-z0-9.-]{1,200})")
_LIST_ITEM = "- "


@dataclass(frozen=True, slots=True)
class TextPart:
    """A part of a line: plain, or a link to ``href``."""

    text: str
    href: str | None = None


@dataclass(frozen=True, slots=True)
class TextBlock:
    """A paragraph of one line, or a list with a line for each item."""

    lines: tuple[tuple[TextPart, ...], ...]
    is_list: bool


@dataclass(frozen=True, slots=True)
class ConsentStatement:
    """The text as a page shows it; ``hash`` is what the page's forms carry."""

    hash: str
    language: str
    title: str
    blocks: tuple[TextBlock, ...]


def text_for(visit: PageVisit) -> ConsentText | None:
    """The text that users of this visit agree to, in a language that they want; ``None``: not asked."""
    return journey().consents.text(visit.company, language_choice.wanted())


def inline_statement(visit: PageVisit, cards: Sequence[Card] | None = None) -> ConsentStatement | None:
    """The statement for a page where choosing is the consent; ``None`` where it is not asked there.

    With ``cards`` it is shown only if one of them leads to its platform and needs a consent.
    """
    text = text_for(visit) if get_container().settings.consent == INLINE else None
    if text is None or (cards is not None and not any(_asks(visit, card, text) for card in cards)):
        return None
    return statement_of(text)


def statement_of(text: ConsentText) -> ConsentStatement:
    """The text for a page: its first line is the title."""
    title, *lines = text.text.splitlines()
    return ConsentStatement(text.hash, text.language, title, tuple(_blocks(lines)))


def is_missing(text: ConsentText | None) -> bool:
    """Whether the current form has to be answered with a page that asks."""
    return text is not None and request.form.get(FIELD) != text.hash


def is_missing_for(visit: PageVisit, card: Card, text: ConsentText | None) -> bool:
    """The same for a connection, which may have a consent already."""
    return text is not None and is_missing(text) and not _is_given(visit, card, text)


def ask(
    visit: PageVisit,
    text: ConsentText,
    *,
    action: str,
    name: str,
    platform: PlatformView | None,
    platform_key: str | None = None,
) -> Response:
    """The page that asks; its button repeats the form that led here, with the hash of the text."""
    return page(
        visit,
        "consent",
        statement=statement_of(text),
        action=action,
        name=name,
        platform_key=platform_key,
        needs=next_steps.needs_of(platform).sentences,
        next_steps=next_steps.next_steps(name),
    )


def keep(visit: PageVisit, session: LinkSession, text: ConsentText | None) -> None:
    """Keep the evidence before the user leaves for the platform."""
    if text is not None:
        address = request.remote_addr or ""
        journey().consent(visit.company, session, text, address=address, person_id=visit.person_id)


def name_of(platform: PlatformView | None) -> str:
    """The platform's name for a sentence."""
    return terms.name_of(platform.name) if platform else gettext(terms.UNNAMED_PLATFORM)


def _asks(visit: PageVisit, card: Card, text: ConsentText) -> bool:
    """Whether the card leads to its platform, and nobody agreed to this text for its access yet."""
    return card.text.action is not None and not _is_given(visit, card, text)


def _is_given(visit: PageVisit, card: Card, text: ConsentText) -> bool:
    return journey().consents.is_given(visit.company_id, card.id, text, authorization=card.authorization)


def _blocks(lines: Sequence[str]) -> Iterator[TextBlock]:
    items: list[tuple[TextPart, ...]] = []
    for line in [*lines, ""]:
        if line.startswith(_LIST_ITEM):
            items.append(tuple(_parts(line.removeprefix(_LIST_ITEM))))
            continue
        if items:
            yield TextBlock(tuple(items), is_list=True)
            items = []
        if line.strip():
            yield TextBlock((tuple(_parts(line)),), is_list=False)


def _parts(line: str) -> Iterator[TextPart]:
    for number, part in enumerate(_LINK.split(line)):
        if number % 2 == 0:
            if part:
                yield TextPart(part)
            continue
        address = part.rstrip(".,;)")
        yield TextPart(address, address if "://" in address else f"mailto:{address}")
        if part != address:
            yield TextPart(part[len(address) :])
