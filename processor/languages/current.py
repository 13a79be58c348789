"""The language of the page that is answered, or of the e-mail that is written, and its formats."""

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from datetime import datetime

from babel.dates import format_date, format_time
from babel.lists import format_list
from babel.numbers import format_percent
from jinja2 import Environment

from processor.languages.catalogues import SOURCE, Language, language

_current: ContextVar[str] = ContextVar("language", default=SOURCE)


def current() -> Language:
    """The current language: English unless another was chosen."""
    return language(_current.get())


def choose(tag: str) -> None:
    """Make the language with this tag the current one, for the rest of a request."""
    _current.set(tag)


@contextlib.contextmanager
def written_in(tag: str) -> Iterator[None]:
    """Make texts in the language with this tag."""
    token = _current.set(tag)
    try:
        yield
    finally:
        _current.reset(token)


def mark(message: str) -> str:
    """``message`` itself, which belongs into the catalogues: it is translated where it is used."""
    return message


def gettext(message: str) -> str:
    """The message in the current language."""
    return current().translations.gettext(message)


def ngettext(singular: str, plural: str, n: int) -> str:
    """The form of the message for a count of ``n`` in the current language."""
    return current().translations.ngettext(singular, plural, n)


def translate_templates(environment: Environment) -> None:
    """Have the templates of ``environment`` translated: ``{{ _("…") }}`` and ``{% trans %}``."""
    environment.add_extension("jinja2.ext.i18n")
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]


def moment(at: datetime) -> str:
    """``22 November 2026, 15:04 UTC``."""
    time = format_time(at, "short", locale=current().locale)
    return gettext("{date}, {time} UTC").replace("{date}", day(at)).replace("{time}", time)


def day(at: datetime) -> str:
    """``22 November 2026``."""
    return format_date(at, "long", locale=current().locale)


def percent(hundredths: int) -> str:
    """``37%``."""
    return format_percent(hundredths / 100, locale=current().locale)


def either(names: Sequence[str]) -> str:
    """``Xero, Sage or Exact``."""
    return format_list(list(names), style="or", locale=current().locale)
