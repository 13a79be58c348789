"""Rendering of the merchants' pages, of their live parts, and of errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request
from markupsafe import Markup
from redis import RedisError
from werkzeug.http import generate_etag

from processor.errors import ProcessorError, TooManyAttempts
from processor.journey.errors import TokenExpired, TokenInvalid
from processor.languages.catalogues import LANGUAGES, language
from processor.languages.current import current
from processor.settings.brands import Brand, brand_of
from processor.web import csrf, failure_references, headers, html_errors
from processor.web.dependencies import get_container
from processor.web.merchant import embedding, language_choice, styles
from processor.web.merchant.copy import errors, terms
from processor.web.merchant.link_session import (
    PATH,
    RETURN_PATH,
    PageVisit,
    journey,
    leave_url_of_stranger,
    remember_visit,
    visit_of,
)

_TOKEN_ERRORS = (TokenExpired, TokenInvalid, TooManyAttempts)
"""Errors after which the token is not verified a second time."""


@dataclass(frozen=True, slots=True)
class LivePart:
    """The part of a page that the browser reloads from ``url``, as it is now."""

    url: str
    html: Markup
    etag: str


def live_part(visit: PageVisit, url: str, template: str, **values: Any) -> LivePart:
    """The live part ``template`` of a page."""
    html = _render(visit, template, values)
    return LivePart(url, Markup(html), generate_etag(html.encode()))  # noqa: S704 - rendered with autoescaping


def fragment(visit: PageVisit, template: str, **values: Any) -> Response:
    """A live part as a response; 304 when the browser has it already."""
    part = live_part(visit, "", template, **values)
    response = _response(visit, part.html, HTTPStatus.OK)
    response.set_etag(part.etag)
    return response.make_conditional(request)  # type: ignore[return-value]


def page(visit: PageVisit | None, template: str, status: int = HTTPStatus.OK, **values: Any) -> Response:
    """A page as a response, with its policy and, on a visit, the cookies for the way back."""
    inline = styles.inline(_brand_of(visit, values))
    html = _render(visit, template, {**values, "styles": inline})
    return _response(visit, html, status, None if inline is None else styles.source_of(inline))


def _brand_of(visit: PageVisit | None, values: Mapping[str, Any]) -> Brand:
    return brand_of(journey().brands, visit.company.brand if visit else values.get("brand_key"))


def _render(visit: PageVisit | None, template: str, values: Mapping[str, Any]) -> str:
    brand = _brand_of(visit, values)
    return render_template(
        f"merchant/{template}.html",
        visit=visit,
        brand=brand,
        embed_origins=embedding.origins(),
        leave_label=terms.back_to(brand.name),
        csrf_token=None if visit is None else csrf.token_of(visit.token),
        product_name=brand.name,
        language=current(),
        languages=[language(tag) for tag in LANGUAGES],
        language_url=partial(language_choice.url_in, **_card_parameters(values)),
        support_email=brand.support_email,
        **{"leave_url": leave_url_of_stranger() if visit is None else None, **values},
    )


def _card_parameters(values: Mapping[str, Any]) -> dict[str, str]:
    """Parameters by which the page at the address of the way back is about the same connection."""
    card = values.get("card") if request.path.startswith(RETURN_PATH) else None
    return {} if card is None else {"connectionId": card.id}


def _response(visit: PageVisit | None, html: str, status: int, style_source: str | None = None) -> Response:
    response = make_response(html, status)
    policy = headers.page_policy(
        get_container().settings.codat_api_url,
        style_source=style_source,
        embedders=embedding.origins() if request.path.startswith(f"{PATH}/") else (),
    )
    response.headers["Content-Security-Policy"] = policy
    response.content_language.add(current().tag)
    if visit is not None:
        remember_visit(response, visit)
    return response


def error_page(error: ProcessorError, visit: PageVisit | None = None) -> Response:
    """The page of an error; with ``visit`` it leads back to the visit's pages."""
    response = page(
        visit,
        "problem",
        int(error.status),
        expired=isinstance(error, TokenExpired),
        invalid=isinstance(error, TokenInvalid),
        error=errors.of(error),
        retry_url=request.full_path.rstrip("?") if request.method == "GET" else request.path,
        reference=failure_references.reference_of(error, company_id=visit.company_id if visit else None),
        new_link_csrf_token=_new_link_csrf_token(error),
        leave_url=leave_url_of_stranger() if visit is None else visit.leave_url(()),
    )
    csrf.set_cookie(response, PATH)
    response.headers.update(error.headers())
    return response


def _new_link_csrf_token(error: ProcessorError) -> str | None:
    """The CSRF token of the form that e-mails a new link; ``None`` when none can be sent.

    The form says nothing of the company: it is the same whether an address is known or not.
    """
    token = (request.view_args or {}).get("token")
    if not isinstance(error, TokenExpired) or not token:
        return None
    return csrf.token_of(token) if journey().links.can_mail else None


def register_handlers(blueprint: Blueprint) -> None:
    """Have ``blueprint`` answer errors with pages, and a popup stay connected with its opener."""

    @blueprint.after_request
    def keep_opener(response: Response) -> Response:
        response.headers["Cross-Origin-Opener-Policy"] = "unsafe-none"  # here and after Codat's Link
        return response

    def of_processor(error: ProcessorError) -> Response:
        return error_page(error, None if isinstance(error, _TOKEN_ERRORS) else _current_visit())

    html_errors.register(blueprint, of_processor, unexpected_error_page=error_page)


def _current_visit() -> PageVisit | None:
    """The visit of the current request, or ``None`` when it cannot be read."""
    try:
        return visit_of((request.view_args or {})["token"])
    except (KeyError, ProcessorError, RedisError):
        return None
