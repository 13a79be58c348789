"""``POST`` or ``PUT /webhooks/codat`` under any WSGI server; the built-in server does not come here."""

import logging
from typing import IO

from flask import Blueprint, Response, request

from processor.errors import StoreUnavailable, TooLarge
from processor.web.dependencies import get_container, message_receiver
from processor.web.message_receiver import MessageRequest, MessageResponse, problem_response

blueprint = Blueprint("webhooks", __name__)

_log = logging.getLogger(__name__)


@blueprint.route(
    "/webhooks/codat", methods=("POST", "PUT"), strict_slashes=False, provide_automatic_options=False
)
def receive() -> Response:
    """Store one message."""
    status, headers, body = _receive()
    return Response(body, status, headers)


def _receive() -> MessageResponse:
    receiver = message_receiver()
    try:
        body = _body(get_container().settings.max_body_bytes)
    except TooLarge:
        return receiver.refuse_too_large()
    except Exception:
        _log.exception("a message could not be read")
        return problem_response(StoreUnavailable())
    headers = {name.lower(): value for name, value in request.headers.items()}
    # ProxyFix has replaced the peer's address; the receiver judges both.
    peer = request.environ["werkzeug.proxy_fix.orig"]["REMOTE_ADDR"] or ""
    (response,), asleep = receiver.receive([MessageRequest(headers, body, peer)])
    receiver.wake(asleep)
    return response


def _body(max_bytes: int) -> bytes:
    """The raw body; raises ``TooLarge`` after reading one byte more than ``max_bytes``."""
    if request.content_length is not None and request.content_length > max_bytes:
        raise TooLarge()
    stream: IO[bytes] = request.environ["wsgi.input"]
    length = max_bytes + 1 if request.content_length is None else request.content_length
    body = bytearray()
    while len(body) < length and (part := stream.read(length - len(body))):
        body += part
    if len(body) > max_bytes:
        raise TooLarge()
    return bytes(body)
