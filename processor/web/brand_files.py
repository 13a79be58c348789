"""``/brand/{key}/…``: the colours and pictures of a brand. They are public, and cached by their version."""

from datetime import timedelta

from flask import Blueprint, Response, send_file, url_for
from flask.typing import ResponseReturnValue

from processor.errors import NotFound
from processor.settings.brands import PICTURE_TYPES, Brand
from processor.web.dependencies import get_container

MAX_AGE_S = int(timedelta(days=365).total_seconds())
STYLESHEET = "colors.css"

blueprint = Blueprint("brand", __name__, url_prefix="/brand")


@blueprint.after_request
def allow_other_origins(response: Response) -> Response:
    """Let pages of other origins, such as a mailbox, show the pictures."""
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@blueprint.get("/<key>/<name>")
def show(key: str, name: str) -> ResponseReturnValue:
    """A file of a brand; raises :class:`NotFound`."""
    brand = get_container().journey.brands.get(key)
    if brand is not None and name == STYLESHEET and brand.stylesheet is not None:
        response = Response(brand.stylesheet, mimetype="text/css")
        response.cache_control.max_age = MAX_AGE_S
        response.cache_control.public = True
        return response
    picture = None if brand is None or name not in ("logo", "favicon") else getattr(brand, name)
    if picture is None or not picture.is_file():
        raise NotFound("The brand has no such file.")
    return send_file(
        picture.absolute(), mimetype=PICTURE_TYPES[picture.suffix.lower()], max_age=MAX_AGE_S, etag=False
    )


def brand_url(brand: Brand, name: str) -> str | None:
    """The address of a file of the brand; ``None`` where it has none."""
    is_there = brand.stylesheet if name == STYLESHEET else getattr(brand, name)
    return url_for("brand.show", key=brand.key, name=name, v=brand.version) if is_there else None
