"""``POST`` or ``PUT /webhooks/codat``: Codat's messages, both generations.

An answer other than 2xx, 401, 403, 405, 413 or 503 would lose a legacy alert for good, and would make
the current service repeat for 28 hours what nobody can mend. So whatever is authentic is kept, in quarantine
where it is not recognised, and whatever goes wrong here beyond those answers is 503: "send it again".
"""

import ipaddress
import logging
from typing import IO

from flask import Blueprint, Response, jsonify, request
from redis import RedisError

from processor.alerts.dialects import Unrecognised, recognise
from processor.alerts.refusals import RefusalReason
from processor.alerts.signature import AuthenticatedBy, NotAuthentic, event_id_of
from processor.container import Container
from processor.errors import Forbidden, ProcessorError, StoreUnavailable, TooLarge, Unauthorized
from processor.store import visibility
from processor.web import problem_json
from processor.web.dependencies import get_container, refusals, tally

blueprint = Blueprint("webhooks", __name__)

_log = logging.getLogger(__name__)

CLIENT_ID = "X-Codat-ClientId"


@blueprint.route(
    "/webhooks/codat", methods=("POST", "PUT"), strict_slashes=False, provide_automatic_options=False
)
def receive() -> Response:
    """Keep one message and answer; the order of the questions is the order of their cost."""
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
        _log.exception("a message could not be kept because of a fault of ours")
        return problem_json.of_processor(StoreUnavailable())


def _refuse(sentence: str, reason: RefusalReason, **fields: object) -> None:
    """Count and log a refused message."""
    tally().refused(reason)
    refusals().warn(_log, sentence, reason=reason, **fields)


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
    tally().authentic()
    event_id = event_id_of(headers, body)
    received_at = container.clock()
    try:
        event = recognise(body, event_id=event_id, received_at=received_at)
    except Unrecognised as error:
        kept = container.inbox.quarantine(event_id, body, received_at, str(error))
        status = "quarantined"
        if not kept.duplicate:
            _log.warning(
                "a message is in quarantine: it was not recognised",
                extra={"event_id": event_id, "reason": str(error)},
            )
    else:
        if event.company is not None and _is_foreign(container):
            visibility.mark_foreign(container.redis, event.company.id)
        kept = container.inbox.accept(event, body)
        status = "accepted"
    status = "duplicate" if kept.duplicate else status
    _log.info("a message was received", extra={"event_id": event_id, "status": status})
    if kept.sleeping_shard is not None:
        container.waker.wake_shard(kept.sleeping_shard)
    answer = jsonify(event_id=event_id, status=status)
    answer.status_code = 200 if kept.duplicate else 202
    return answer


def _body(most: int) -> bytes:
    """The raw body; raises ``TooLarge`` without reading more than the limit."""
    if request.content_length is not None and request.content_length > most:
        raise TooLarge()
    stream: IO[bytes] = request.environ["wsgi.input"]
    wanted = most + 1 if request.content_length is None else request.content_length
    body = bytearray()
    while len(body) < wanted and (part := stream.read(wanted - len(body))):
        body += part
    if len(body) > most:
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
    """An address alone; some proxies write the port behind it: ``192.0.2.1:443``, ``[2001:db8::1]:443``."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    host, _, port = address.partition(":")
    return host if port.isdigit() else address


def _is_foreign(container: Container) -> bool:
    """Whether the message comes from a Codat client whose companies our key cannot see."""
    foreign = container.settings.codat_foreign_client_ids
    return bool(foreign) and request.headers.get(CLIENT_ID, "").lower() in {one.lower() for one in foreign}


def _check_client(container: Container, by: AuthenticatedBy) -> None:
    """Legacy alerts always name their client; signed messages only where that was configured."""
    allowed = container.settings.codat_client_ids
    client_id = request.headers.get(CLIENT_ID)
    if not allowed or (client_id or "").lower() in {one.lower() for one in allowed}:
        return
    if client_id is None and by is AuthenticatedBy.SIGNATURE:
        return
    _refuse("a message came from a client that is not allowed", RefusalReason.CLIENT_ID)
    raise Forbidden(f"The client in {CLIENT_ID} is not on the allowlist.")
