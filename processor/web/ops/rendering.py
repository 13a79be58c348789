"""Making the operators' pages: rendering, addresses, going back after an action, and what goes wrong."""

import re
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from marshmallow import Schema, ValidationError
from redis import BusyLoadingError, RedisError

from processor.errors import Invalid, ProcessorError, StoreUnavailable, TooManyAttempts, Unauthorized
from processor.web import failure_references, html_errors, problem_json, security
from processor.web.dependencies import get_container
from processor.web.ops import auth, copy
from processor.web.v1.parameters import LONGEST_ID, NoParameters

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""There is no script on these pages, and nothing from elsewhere."""

REFRESH_S = 30
BY_QUERY = "-"
"""Stands in an address for an id that cannot be a part of it; the id is the parameter ``id`` then."""

_FITS = re.compile(r"(?!-$)[A-Za-z0-9_~-][A-Za-z0-9_.~:@=+,!-]*")
_PASSING = ("done", "count", "at")
"""Parameters that say what was just done, and are not passed on."""

_EVERYWHERE = (*_PASSING, "refresh")
"""Parameters that every page takes beside its own."""


def page(template: str, status: int = HTTPStatus.OK, **values: Any) -> Response:
    """A page for somebody who is logged in."""
    now = get_container().clock()
    html = render_template(
        f"ops/{template}.html",
        seal=auth.seal(),
        now=now,
        refresh_s=_refresh_s(),
        said=copy.done(request.args, now),
        longest_id=LONGEST_ID,
        **_HELPERS,
        **values,
    )
    answer = _sheet(html, status)
    return security.remember_browser(answer, auth.PREFIX)


def address(kind: str, id_: str) -> str:
    """The address of the page about something; ``kind`` is the view's name."""
    if _FITS.fullmatch(id_):
        return url_for(f"{auth.NAME}.{kind}", id_=id_)
    sendable = id_.encode("utf-8", "replace").decode()
    return url_for(f"{auth.NAME}.{kind}", id_=BY_QUERY, id=sendable)


def wanted(id_: str) -> str:
    """The id that an address made by :func:`address` stands for."""
    return request.args.get("id", id_) if id_ == BY_QUERY else id_


def here(**changed: str | int | None) -> str:
    """The address of this very page with other parameters; ``None`` leaves one out."""
    kept = {
        name: value for name, value in request.args.items() if name not in _PASSING and name not in changed
    }
    given = {name: value for name, value in changed.items() if value is not None}
    return f"?{urlencode({**kept, **given})}"


def back(address_: str, done: str, **counts: int) -> Response:
    """Go on to a page, which says what was done, and for a short time only."""
    at_s = int(get_container().clock().timestamp())
    query = urlencode({"done": done, **counts, "at": at_s})
    joint = "&" if "?" in address_ else "?"
    return redirect(f"{address_}{joint}{query}", HTTPStatus.SEE_OTHER)  # type: ignore[return-value]


def query_of(schema: type[Schema] = NoParameters) -> dict[str, Any]:
    """The parameters of a page, as the API has them. Blank ones are not given.

    Raises :class:`Invalid`, also for a parameter that the page does not have: a misspelt filter would
    show everything.
    """
    known = schema()
    passed_over = {*_EVERYWHERE, "id"} if (request.view_args or {}).get("id_") == BY_QUERY else _EVERYWHERE
    given = {
        name: value
        for name, value in request.args.items()
        if name not in passed_over and (value or name not in known.fields)
    }
    try:
        loaded: dict[str, Any] = known.load(given)
    except ValidationError as error:
        raise Invalid(
            "The address of this page has a parameter that cannot be used.",
            errors=dict(error.messages_dict),
        ) from error
    return loaded


def failed(error: ProcessorError) -> Response:
    """The page for what was raised on purpose; a problem where there are no pages."""
    if isinstance(error, auth.PagesClosed):
        return problem_json.of_processor(error)
    if isinstance(error, Unauthorized | TooManyAttempts):
        wait_s = error.retry_after_s if isinstance(error, TooManyAttempts) else None
        answer = _sheet(render_template("ops/login.html", wait_s=wait_s), int(error.status))
    else:
        answer = page(
            "problem",
            int(error.status),
            error=error,
            retry_after_s=getattr(error, "retry_after_s", None),
            reference=failure_references.reference_of(error),
        )
    answer.headers.update(error.headers())
    return answer


def guard(blueprint: Blueprint) -> None:
    """Have ``blueprint`` answer with pages, whatever goes wrong in it."""
    blueprint.register_error_handler(ProcessorError, html_errors.safely(failed))
    html_errors.show(blueprint, failed, store_away=_store_away)


def _store_away(error: RedisError) -> StoreUnavailable:
    if isinstance(error, BusyLoadingError):
        return StoreUnavailable("Redis is loading its data: it has just been started, and goes on by itself.")
    return StoreUnavailable("Redis does not answer, or refuses what was asked of it.")


def _sheet(html: str, status: int) -> Response:
    """The answer; half of a surrogate pair, which somebody's JSON may hold, is written as an escape."""
    answer = make_response(html.encode("utf-8", "backslashreplace"), status)
    answer.headers["Content-Security-Policy"] = POLICY
    return answer


def _refresh_s() -> int | None:
    """After how many seconds the page is loaded again, where somebody asked for that."""
    return REFRESH_S if request.method == "GET" and request.args.get("refresh") == str(REFRESH_S) else None


_HELPERS: dict[str, Any] = {
    "address": address,
    "here": here,
    "words": copy,
    "REFRESH_S": REFRESH_S,
}
