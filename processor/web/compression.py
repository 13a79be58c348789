"""Answers of some size are compressed, where the caller accepts it.

Never what could betray a secret by its length: an answer to a browser that repeats text of the address beside
a secret of its reader (the link token, a seal) tells by its compressed size how alike they are
(https://breachattack.com/). So a page is compressed only where its address has no query, and nothing but a
plain 200 is. The API takes no cookies: nobody can make a browser ask it for somebody else.
"""

import gzip

from flask import Flask, Response, request

SMALLEST_BYTES = 1_000
LEVEL = 6
_TEXTS = ("text/", "application/json", "application/javascript", "image/svg+xml")
_QUERY_TELLS_NOTHING = ("/static/", "/v1/", "/openapi.json")


def register(app: Flask) -> None:
    """Let ``app`` compress its answers."""
    app.after_request(compress)


def compress(answer: Response) -> Response:
    """Compress ``answer`` where that is possible, worth it and safe."""
    if request.method != "GET" or answer.status_code != 200 or not _is_safe() or not _is_text(answer):
        return answer
    answer.vary.add("Accept-Encoding")
    if request.accept_encodings["gzip"] <= 0 or "Content-Encoding" in answer.headers:
        return answer
    answer.direct_passthrough = False
    plain = answer.get_data()
    if len(plain) < SMALLEST_BYTES:
        return answer
    answer.set_data(gzip.compress(plain, LEVEL, mtime=0))
    answer.headers["Content-Encoding"] = "gzip"
    etag, _ = answer.get_etag()
    if etag is not None:
        answer.set_etag(etag, weak=True)  # the same content in other bytes
    return answer


def _is_safe() -> bool:
    return not request.query_string or request.path.startswith(_QUERY_TELLS_NOTHING)


def _is_text(answer: Response) -> bool:
    return (answer.mimetype or "").startswith(_TEXTS)
