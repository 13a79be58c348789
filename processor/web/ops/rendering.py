"""Rendering of the operators' pages: addresses, parameters, redirects after an action, errors."""

import re
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, g, make_response, render_template, request, url_for
from marshmallow import Schema, ValidationError
from redis import BusyLoadingError, RedisError

from processor.delivery.subscribers import names_of
from processor.errors import Invalid, ProcessorError, StoreUnavailable, TooManyAttempts, Unauthorized
from processor.web import csrf, failure_references, html_errors, problem_json
from processor.web.dependencies import get_container
from processor.web.ops import auth, confirmations, copy
from processor.web.redirects import see_other
from processor.web.v1.parameters import LONGEST_ID, NoParameters

blueprint = Blueprint(auth.NAME, __name__, url_prefix=auth.PREFIX)

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; script-src 'self'"
)
"""The pages load nothing from other origins, and work without their script."""

REFRESH_S = 30
ID_IN_QUERY = "-"
"""Path segment for an id that does not fit into a path and is the parameter ``id`` instead."""

_PATH_SAFE = re.compile(r"(?!-$)[A-Za-z0-9_~-][A-Za-z0-9_.~:@=+,!-]*")
_DONE_PARAMETERS = ("done", "count", "done_at")
"""Parameters that confirm an action; links do not repeat them."""

_ACTIONS_WITH_PAGES = (f"{auth.NAME}.fresh_link", f"{auth.NAME}.verify")
"""Actions that answer with the page of their connection, one segment up."""

_COMMON_PARAMETERS = (*_DONE_PARAMETERS, "refresh", "format")
"""Parameters of every page."""


def page(template: str, status: int = HTTPStatus.OK, **values: Any) -> Response:
    """A page for a logged-in operator."""
    return csrf.set_cookie(fragment(template, status, **values), auth.PREFIX)


def fragment(template: str, status: int = HTTPStatus.OK, **values: Any) -> Response:
    """A page, or a part of one, without the cookie of its forms."""
    now = get_container().clock()
    html = render_template(
        f"ops/{template}.html",
        csrf_token=auth.csrf_token(),
        operator=auth.current_operator(),
        operator_session=g.get("operator_session"),
        now=now,
        refresh_s=_refresh_s(),
        done_message=confirmations.done(request.args, now),
        longest_id=LONGEST_ID,
        address=address,
        here=here,
        copy=copy,
        REFRESH_S=REFRESH_S,
        **values,
    )
    return html_response(html, status)


def address(kind: str, id_: str) -> str:
    """The address of the page of an object; ``kind`` is the view's name."""
    if _PATH_SAFE.fullmatch(id_):
        return url_for(f".{kind}", id_=id_)
    sendable = id_.encode("utf-8", "replace").decode()
    return url_for(f".{kind}", id_=ID_IN_QUERY, id=sendable)


@blueprint.url_value_preprocessor
def take_id(_: str | None, values: dict[str, Any] | None) -> None:
    """Give views the id in an address made by :func:`address`, wherever it is."""
    values = values or {}
    g.is_id_in_query = values.get("id_") == ID_IN_QUERY
    if g.is_id_in_query:
        values["id_"] = request.args.get("id", ID_IN_QUERY)


def here(**changes: str | int | None) -> str:
    """The current page's address with changed parameters; ``None`` removes one."""
    parameters = {
        name: value
        for name, value in request.args.items()
        if name not in _DONE_PARAMETERS and name not in changes
    }
    parameters |= {name: str(value) for name, value in changes.items() if value is not None}
    path = request.path.rpartition("/")[0] if request.endpoint in _ACTIONS_WITH_PAGES else ""
    return f"{path}?{urlencode(parameters)}"


def back(address_: str, done: str, **counts: int) -> Response:
    """Redirect to a page that confirms the action for ``DONE_SHOWN_S``."""
    at_s = int(get_container().clock().timestamp())
    query = urlencode({"done": done, **counts, "done_at": at_s})
    separator = "&" if "?" in address_ else "?"
    return see_other(f"{address_}{separator}{query}")


def query_of(schema: type[Schema] = NoParameters) -> dict[str, Any]:
    """The page's own parameters, loaded by ``schema``; blank ones count as missing.

    Raises :class:`Invalid`, also for an unknown parameter: a misspelt filter would show everything.
    """
    page_schema = schema()
    ignored = set(_COMMON_PARAMETERS)
    if g.is_id_in_query:
        ignored.add("id")
    parameters = {
        name: value
        for name, value in request.args.items()
        if name not in ignored and (value or name not in page_schema.fields)
    }
    try:
        query: dict[str, Any] = page_schema.load(parameters)
    except ValidationError as error:
        raise Invalid(
            "The address of this page has a parameter that cannot be used.",
            errors=dict(error.messages_dict),
        ) from error
    return query


def error_page(error: ProcessorError) -> Response:
    """The page of an error; a problem while there are no pages."""
    if isinstance(error, auth.PagesClosed):
        return problem_json.of_processor(error)
    if isinstance(error, Unauthorized | TooManyAttempts):
        if _prefers_sign_in(error):
            return see_other(sign_in_address())
        wait_s = error.retry_after_s if isinstance(error, TooManyAttempts) else None
        response = html_response(render_template("ops/login.html", wait_s=wait_s), int(error.status))
    else:
        response = page(
            "problem",
            int(error.status),
            error=error,
            retry_after_s=error.retry_after_s,
            reference=failure_references.reference_of(error),
        )
    response.headers.update(error.headers())
    return response


def sign_in_address() -> str:
    """The address of the sign-in page, which leads back to the current page."""
    return url_for(".sign_in_page", next=request.full_path.rstrip("?"))


def _prefers_sign_in(error: ProcessorError) -> bool:
    """Whether a browser without credentials is led to the sign-in page, instead of asking by itself."""
    settings = get_container().settings
    has_names = bool(settings.operators or settings.oidc_issuer)
    is_page = request.method == "GET" and "Authorization" not in request.headers
    return isinstance(error, Unauthorized) and has_names and html_errors.wants_page() and is_page


def receiver_names() -> dict[str, str]:
    """The name of every subscriber, by id. Raises ``redis.RedisError``."""
    return names_of(get_container().subscribers.all())


def _store_error(error: RedisError) -> StoreUnavailable:
    if isinstance(error, BusyLoadingError):
        return StoreUnavailable("Redis is loading its data: it has just been started, and goes on by itself.")
    return StoreUnavailable("Redis does not answer, or refuses what was asked of it.")


def html_response(html: str, status: int = HTTPStatus.OK) -> Response:
    """The response; lone surrogates, which foreign JSON may contain, are escaped."""
    response = make_response(html.encode("utf-8", "backslashreplace"), status)
    response.headers["Content-Security-Policy"] = POLICY
    return response


def _refresh_s() -> int | None:
    """Seconds between reloads of the page, if the address asks for them."""
    return REFRESH_S if request.method == "GET" and request.args.get("refresh") == str(REFRESH_S) else None


html_errors.register(blueprint, error_page, store_error=_store_error)
