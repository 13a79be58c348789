"""``/reminders``: where the reader of a reminder ends reminders, or takes them up again.

Mail programs end them by themselves with one ``POST``, without cookies or a page before (RFC 8058). Opening
the address changes nothing, because scanners of mail open it too. The token proves who asks, so the form has
no other one.
"""

from flask import Blueprint, Response, request

from processor.journey.errors import TokenExpired, TokenInvalid
from processor.journey.opt_out import PATH
from processor.journey.tokens import LinkClaims
from processor.web.credential_throttle import Credential, throttled
from processor.web.dependencies import get_container
from processor.web.merchant import language_choice
from processor.web.merchant.link_session import journey
from processor.web.merchant.pages import page, register_handlers

blueprint = Blueprint("reminders", __name__, url_prefix=PATH)
register_handlers(blueprint)


@blueprint.get("/<token>")
def show(token: str) -> Response:
    """Ask whether the reader wants no more reminders."""
    return _page(_claims_of(token))


@blueprint.post("/<token>")
def change(token: str) -> Response:
    """End reminders, or take them up again."""
    claims = _claims_of(token)
    journey().opt_out.change(claims, is_off="again" not in request.form)
    return _page(claims)


def _claims_of(token: str) -> LinkClaims:
    """The claims of the link; an expired one is no longer valid."""
    with throttled(Credential.LINK, TokenInvalid):
        try:
            return journey().opt_out.tokens.claims(token)
        except TokenExpired as error:
            raise TokenInvalid() from error


def _page(claims: LinkClaims) -> Response:
    row = get_container().reader.company(claims.company_id) or {}
    language_choice.choose_for_company(row.get("language"), "")
    is_off = journey().opt_out.is_off(claims)
    return page(None, "reminders", is_off=is_off, brand_key=row.get("brand"), leave_url=None)
