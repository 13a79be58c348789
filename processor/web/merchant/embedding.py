"""The journey in a panel or popup of a caller's own page: ``/embed.js``, and who may show it.

The pages tell that page how they stand by messages to its origin alone. Codat's Link opens in a window of its
own, because platforms refuse frames.
"""

from datetime import timedelta
from pathlib import Path

from flask import Blueprint, Response, request, send_file

from processor.errors import NotFound
from processor.web.dependencies import get_container

SCRIPT = Path(__file__).parents[1] / "static" / "journey" / "embed.js"
MAX_AGE_S = int(timedelta(hours=1).total_seconds())
"""Its address has no version, because callers write it into their own pages."""

blueprint = Blueprint("embed", __name__)


@blueprint.get("/embed.js")
def script() -> Response:
    """The script for callers' pages; raises :class:`NotFound` while no origin may show the journey."""
    if not is_allowed():
        raise NotFound("EMBED_ORIGINS is not set.")
    response = send_file(SCRIPT, mimetype="text/javascript", max_age=MAX_AGE_S)
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def origins() -> tuple[str, ...]:
    """The origins whose pages may show the journey."""
    return get_container().settings.embed_origins


def is_allowed() -> bool:
    """Whether any page may show the journey."""
    return bool(origins())


def is_framed() -> bool:
    """Whether the browser loads this page into a frame. https://www.w3.org/TR/fetch-metadata/"""
    return request.headers.get("Sec-Fetch-Dest") == "iframe"
