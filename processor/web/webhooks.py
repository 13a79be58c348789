"""``POST`` or ``PUT /webhooks/codat``: Codat's messages, both generations.

A status other than 2xx, 401, 403, 405, 413 or 503 would lose a legacy alert for good, and the current service
would repeat the message for 28 hours. Therefore every authentic message is kept, in quarantine if it is not
recognised, and every unexpected failure is answered 503, so that Codat sends the message again.
"""

import ipaddress
import logging
from collections.abc import Sequence
from typing import IO

from flask import Blueprint, Response, jsonify, request
from redis import RedisError

from processor.alerts.dialects import Unrecognised, recognise
from processor.alerts.signature import AuthenticatedBy, NotAuthentic, RefusalReason, event_id_of
from processor.container import Container
from processor.errors import Forbidden, ProcessorError, StoreUnavailable, TooLarge, Unauthorized
from processor.store import visibility
from processor.web import problem_json
from processor.web.dependencies import get_container, receipt_counter, refusal_log

blueprint = Blueprint("webhooks", __name__)

_log = logging.getLogger(__name__)

CLIENT_ID = "X-Codat-ClientId"


@blueprint.route(
    "/webhooks/codat", methods=("POST", "PUT"), strict_slashes=False, provide_automatic_options=False
)
def receive() -> Response:
    """Store one message; the checks run in the order of their cost."""
    try:
        return _receive(get_container())
    except TooLarge as error:
        _refuse("a message was too large", RefusalReason.TOO_LARGE)
        return problem_json.of_processor(error)
    except ProcessorError as error:
        return problem_json.of_processor(error)
    except RedisError as error:
        return problem_json.of_redis(error)
    except Exception:
        _log.exception("a message could not be kept because of an internal error")
        return problem_json.of_processor(StoreUnavailable())


def _refuse(sentence: str, reason: RefusalReason, **fields: object) -> None:
    """Count and log a refused message."""
    receipt_counter().refused(reason)
    refusal_log().warn(_log, sentence, reason=reason, **fields)


def _receive(container: Container) -> Response:
    _check_address(container)
    body = _body(container.settings.max_body_bytes)
    headers = dict(request.headers)
    try:
        by = container.authenticator.authenticate(headers, body)
    except NotAuthentic as error:
        _refuse("a message was not authentic", error.refused, why=error.reason)
        raise Unauthorized(error.reason) from error
    _check_client(container, by)
    receipt_counter().authentic()
    event_id = event_id_of(headers, body)
    received_at = container.clock()
    try:
        event = recognise(body, event_id=event_id, received_at=received_at)
    except Unrecognised as error:
        accepted = container.inbox.quarantine(event_id, body, received_at, str(error))
        status = "quarantined"
        if not accepted.duplicate:
            _log.warning(
                "a message is in quarantine: it was not recognised",
                extra={"event_id": event_id, "reason": str(error)},
            )
    else:
        if event.company is not None and _is_client_in(container.settings.codat_foreign_client_ids):
            visibility.mark_foreign(container.redis, event.company.id)
        accepted = container.inbox.accept(event, body)
        status = "accepted"
    status = "duplicate" if accepted.duplicate else status
    _log.info("a message was received", extra={"event_id": event_id, "status": status})
    if accepted.sleeping_cell is not None:
        container.waker.wake_cell(accepted.sleeping_cell)
    response = jsonify(event_id=event_id, status=status)
    response.status_code = 200 if accepted.duplicate else 202
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


def _check_address(container: Container) -> None:
    allowed = container.settings.codat_sender_ips
    if not allowed:
        return
    try:
        sender = ipaddress.ip_address(_without_port(request.remote_addr or ""))
    except ValueError:
        _refuse("a message came from an address that cannot be read", RefusalReason.ADDRESS)
        raise Forbidden("The sender's address cannot be read.") from None
    mapped = getattr(sender, "ipv4_mapped", None)
    if not any((mapped or sender) in network for network in allowed):
        _refuse(
            "a message came from an address that is not allowed", RefusalReason.ADDRESS, address=str(sender)
        )
        raise Forbidden("The sender's address is not on the allowlist.")


def _without_port(address: str) -> str:
    """An address without the port that some proxies add: ``192.0.2.1:443``, ``[2001:db8::1]:443``."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    host, _, port = address.partition(":")
    return host if port.isdigit() else address


def _is_client_in(client_ids: Sequence[str]) -> bool:
    client_id = request.headers.get(CLIENT_ID, "").lower()
    return client_id in {listed_id.lower() for listed_id in client_ids}


def _check_client(container: Container, by: AuthenticatedBy) -> None:
    """Raise ``Forbidden`` for a client that is not on the allowlist; signed messages may come without one."""
    allowed = container.settings.codat_client_ids
    if not allowed or _is_client_in(allowed):
        return
    if CLIENT_ID not in request.headers and by is AuthenticatedBy.SIGNATURE:
        return
    _refuse("a message came from a client that is not allowed", RefusalReason.CLIENT_ID)
    raise Forbidden(f"The client in {CLIENT_ID} is not on the allowlist.")
