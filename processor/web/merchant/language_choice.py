"""The language of a page: that of the link, else of the company, else of the browser, else DEFAULT_LANGUAGE.

A link names its language as the parameter ``lang`` of any page. A cookie keeps it for the visits of this
browser to that company.
"""

from urllib.parse import urlencode

from flask import g, request

from processor.languages import catalogues, current
from processor.web.dependencies import get_container

PARAMETER = "lang"
KEPT = ("q", "done", "statusCode")
"""Parameters of our pages without which one in another language would say something else."""


def choose_for_request() -> None:
    """Choose the language of a page before it is known for which company it is."""
    _choose(of_link())


def choose_for_company(language: str | None, kept: str) -> None:
    """Choose the language of a page of a company; ``kept`` is that of an earlier link in this browser."""
    _choose(of_link() or catalogues.match(kept) or catalogues.match(language))


def wanted() -> list[str]:
    """Tags of the languages in which this page's reader wants a text, ours or not, the best first."""
    if g.get("named_language"):
        return [g.named_language]
    tags = [tag for tag, _ in request.accept_languages]
    return [language for tag in tags for language in (tag, tag.partition("-")[0].lower())]


def of_link() -> str | None:
    """The language that the address names; ``None`` if it names none of ours."""
    return catalogues.match(request.args.get(PARAMETER))


def url_in(tag: str, **parameters: str) -> str:
    """The address of the current page in another language, relative to it, with further ``parameters``.

    It repeats nothing of the current address but ``KEPT``: anybody can have written it.
    """
    kept = {name: request.args[name] for name in KEPT if name in request.args}
    return "?" + urlencode({**kept, **parameters, PARAMETER: tag})


def _choose(named: str | None) -> None:
    """Choose the language that link or company name, else the browser's."""
    g.named_language = named
    # Werkzeug's best_match() would give English to somebody who wants Canadian French, then English.
    of_browser = (catalogues.match(tag) for tag, quality in request.accept_languages if quality)
    default = get_container().settings.default_language
    current.choose(named or next(filter(None, of_browser), default))
