"""Security headers of every response. https://owasp.org/www-project-secure-headers/

A page sets its own Content-Security-Policy; every other response may load nothing.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from flask import Response, request

LOAD_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The policy of a response that is not a page."""

NO_PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in (
        *("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer"),
        *("microphone", "midi", "payment", "publickey-credentials-get", "screen-wake-lock", "usb"),
        *("browsing-topics", "xr-spatial-tracking"),
    )
)
"""No page uses a device, a sensor or a payment. https://www.w3.org/TR/permissions-policy/"""

PRIVATE = frozenset({"connect", "ops", "receivers", "reminders", "return", "v1"})
"""First parts of the paths whose responses are for one reader: no cache and no search engine keeps them."""

HSTS = "max-age=31536000"
_NO_EMBEDDER = "'none'"
_SELF = "'self'"


def add_security_headers(response: Response) -> Response:
    """Add the headers that the view did not set, and forbid caches to keep what is private."""
    headers = response.headers
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers.setdefault("Content-Security-Policy", LOAD_NOTHING)
    if "frame-ancestors http" not in headers["Content-Security-Policy"]:  # X-Frame-Options cannot name them
        headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", NO_PERMISSIONS)
    if request.path.split("/")[1] in PRIVATE:
        headers["Cache-Control"] = "no-store"
        headers["X-Robots-Tag"] = "noindex, nofollow"
    if request.is_secure:
        headers.setdefault("Strict-Transport-Security", HSTS)
    return response


def page_policy(
    images_from: str | None = None, *, style_source: str | None = None, embedders: Sequence[str] = ()
) -> str:
    """The policy of a merchant page: own styles and scripts, images from any https address.

    ``images_from`` is an address whose origin may serve images over plain http, such as a simulated Codat.
    ``style_source`` allows the rules within the page. Pages of the origins ``embedders`` may frame it.
    """
    sources = ["'self'", "https:"]
    if images_from is not None:
        parts = urlsplit(images_from)
        if parts.scheme == "http" and parts.netloc:
            sources.append(f"http://{parts.netloc.rpartition('@')[2]}")
    return (
        f"default-src 'none'; style-src {' '.join(filter(None, (_SELF, style_source)))}; script-src 'self'; "
        f"connect-src 'self'; img-src {' '.join(sources)}; form-action 'self'; base-uri 'none'; "
        f"frame-ancestors {' '.join(embedders) or _NO_EMBEDDER}"
    )
