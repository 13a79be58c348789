"""gzip compression of larger responses.

A page that repeats text of the address beside a secret (the link token, a CSRF token) would reveal by its
compressed size how similar they are (https://breachattack.com/). Therefore only 200 responses are compressed,
and pages only without a query. The API uses no cookies, so a foreign site cannot call it for a user.
"""

import gzip

from flask import Response, request

MIN_BYTES = 1_000
LEVEL = 6
_TEXT_TYPES = ("text/", "application/json", "application/javascript", "image/svg+xml")
_SAFE_WITH_QUERY = ("/static/", "/v1/", "/openapi.json")


def compress(response: Response) -> Response:
    """Compress ``response`` if that is safe, worthwhile and accepted by the client."""
    is_safe = not request.query_string or request.path.startswith(_SAFE_WITH_QUERY)
    is_text = (response.mimetype or "").startswith(_TEXT_TYPES)
    if request.method != "GET" or response.status_code != 200 or not is_safe or not is_text:
        return response
    response.vary.add("Accept-Encoding")
    if request.accept_encodings["gzip"] <= 0 or "Content-Encoding" in response.headers:
        return response
    response.direct_passthrough = False
    body = response.get_data()
    if len(body) < MIN_BYTES:
        return response
    response.set_data(gzip.compress(body, LEVEL, mtime=0))
    response.headers["Content-Encoding"] = "gzip"
    etag, _ = response.get_etag()
    if etag is not None:
        response.set_etag(etag, weak=True)  # the same content in other bytes
    return response
