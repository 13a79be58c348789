"""Receive Codat's messages: check, recognise and store whole requests, many in one round trip.

A status other than 2xx, 401, 403, 405, 413 or 503 would lose a legacy alert for good, and the current service
would repeat the message for 28 hours. Therefore every authentic message is kept, in quarantine if it is not
recognised, and every unexpected failure is answered 503, so that Codat sends the message again.

The gateway and the Flask view call the same code, which knows neither: requests in, responses out.
"""

import ipaddress
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from redis import RedisError
from werkzeug.http import parse_list_header

from processor.alerts.dialects import Unrecognised, recognise
from processor.alerts.signature import AuthenticatedBy, NotAuthentic, RefusalReason, event_id_of
from processor.container import Container
from processor.errors import PROBLEM, Forbidden, ProcessorError, StoreUnavailable, TooLarge, Unauthorized
from processor.runtime import tracing
from processor.store.inbox import AcceptResult, Inbox, ReceivedMessage
from processor.web.receipt_counter import ReceiptCounter
from processor.web.refusal_log import RefusalLog

_log = logging.getLogger(__name__)

CLIENT_ID = "x-codat-clientid"
FORWARDED_FOR = "x-forwarded-for"
JSON_HEADERS = [("content-type", "application/json")]


class MessageRequest(NamedTuple):
    """A whole request: headers by their name in lower case, the raw body, and the address of the peer."""

    headers: Mapping[str, str]
    body: bytes
    peer: str


class MessageResponse(NamedTuple):
    """What is answered; names of headers are in lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def problem_response(error: ProcessorError, *more: tuple[str, str]) -> MessageResponse:
    """An error as ``application/problem+json``, with ``more`` headers."""
    headers = [(name.lower(), value) for name, value in error.headers().items()]
    body = json.dumps(error.problem()).encode()
    return MessageResponse(int(error.status), [("content-type", PROBLEM), *more, *headers], body)


class MessageReceiver:
    """Receives messages for the services of ``container``, into ``inbox`` or its own. Thread-safe."""

    def __init__(
        self,
        container: Container,
        counter: ReceiptCounter,
        refusal_log: RefusalLog,
        *,
        inbox: Inbox | None = None,
    ) -> None:
        settings = container.settings
        self._inbox = inbox or container.inbox
        self._waker, self._clock = container.waker, container.clock
        self._authenticator = container.authenticator
        self._counter, self._refusal_log = counter, refusal_log
        self._sender_ips, self._hops = settings.codat_sender_ips, settings.trusted_proxies
        self._client_ids = _lowered(settings.codat_client_ids)
        self._foreign_client_ids = _lowered(settings.codat_foreign_client_ids)

    def receive(self, requests: Sequence[MessageRequest]) -> tuple[list[MessageResponse], set[int]]:
        """Store the messages in ``requests``; the responses and the cells to ``wake``. Never raises."""
        checked = [self._check(request) for request in requests]
        messages = [message for message in checked if isinstance(message, ReceivedMessage)]
        results = iter(self._accept(messages))
        asleep: set[int] = set()
        responses, statuses = [], []
        for message in checked:
            if isinstance(message, ReceivedMessage):
                result = next(results)
                if isinstance(result, AcceptResult):
                    statuses.append(_status(message, result))
                    if tracing.is_on() and not result.duplicate:
                        tracing.record(
                            tracing.ROOT,
                            message.event_id,
                            message.received_at,
                            self._clock(),
                            status=statuses[-1],
                        )
                    if result.sleeping_cell is not None:
                        asleep.add(result.sleeping_cell)
                responses.append(_response(message, result))
            else:
                responses.append(message)
        if statuses:
            self._counter.answered(statuses)
        return responses, asleep

    def wake(self, cells: Iterable[int]) -> None:
        """Request a drain of the cells, if there are any."""
        if set(cells):
            self._waker.wake_drain()

    def refuse_too_large(self) -> MessageResponse:
        """The response to a message whose body is too large."""
        self._refuse("a message was too large", RefusalReason.TOO_LARGE)
        return problem_response(TooLarge())

    def _accept(self, messages: Sequence[ReceivedMessage]) -> Sequence[AcceptResult | RedisError]:
        if not messages:
            return ()
        try:
            results: Sequence[AcceptResult | RedisError] = self._inbox.accept_many(messages)
        except RedisError as error:
            results = [error] * len(messages)
        except Exception as error:
            _log.exception("messages could not be kept because of an internal error")
            results = [RedisError(repr(error))] * len(messages)
        errors = [result for result in results if isinstance(result, RedisError)]
        if errors:
            extra = {"error": repr(errors[0]), "messages": len(errors)}
            _log.warning("Redis could not keep messages", extra=extra)
        return results

    def _check(self, request: MessageRequest) -> ReceivedMessage | MessageResponse:
        """The message in a request, or the refusal; the checks run in the order of their cost."""
        try:
            self._check_address(request)
            return self._read(request)
        except ProcessorError as error:
            return problem_response(error)
        except Exception:
            _log.exception("a message could not be kept because of an internal error")
            return problem_response(StoreUnavailable())

    def _read(self, request: MessageRequest) -> ReceivedMessage:
        headers, body, _ = request
        try:
            by = self._authenticator.authenticate(headers, body)
        except NotAuthentic as error:
            self._refuse("a message was not authentic", error.refused, why=error.reason)
            raise Unauthorized(error.reason) from error
        self._check_client(headers, by)
        self._counter.authentic()
        event_id = event_id_of(headers, body)
        received_at = self._clock()
        try:
            event = recognise(body, event_id=event_id, received_at=received_at)
        except Unrecognised as error:
            return ReceivedMessage(event_id, body, received_at, None, str(error))
        is_foreign = headers.get(CLIENT_ID, "").lower() in self._foreign_client_ids
        return ReceivedMessage(event_id, body, received_at, event, is_foreign=is_foreign)

    def _refuse(self, sentence: str, reason: RefusalReason, **fields: object) -> None:
        """Count and log a refused message."""
        self._counter.refused(reason)
        self._refusal_log.warn(_log, sentence, reason=reason, **fields)

    def _check_address(self, request: MessageRequest) -> None:
        if not self._sender_ips:
            return
        try:
            sender = ipaddress.ip_address(_without_port(_sender_of(request, self._hops)))
        except ValueError:
            self._refuse("a message came from an address that cannot be read", RefusalReason.ADDRESS)
            raise Forbidden("The sender's address cannot be read.") from None
        mapped = getattr(sender, "ipv4_mapped", None)
        if not any((mapped or sender) in network for network in self._sender_ips):
            sentence = "a message came from an address that is not allowed"
            self._refuse(sentence, RefusalReason.ADDRESS, address=str(sender))
            raise Forbidden("The sender's address is not on the allowlist.")

    def _check_client(self, headers: Mapping[str, str], by: AuthenticatedBy) -> None:
        """Raise ``Forbidden`` for a client not on the allowlist; signed messages may come without one."""
        if not self._client_ids or headers.get(CLIENT_ID, "").lower() in self._client_ids:
            return
        if CLIENT_ID not in headers and by is AuthenticatedBy.SIGNATURE:
            return
        self._refuse("a message came from a client that is not allowed", RefusalReason.CLIENT_ID)
        raise Forbidden("The client in X-Codat-ClientId is not on the allowlist.")


def _response(message: ReceivedMessage, result: AcceptResult | RedisError) -> MessageResponse:
    """The response to a message, which is logged."""
    if isinstance(result, RedisError):
        return problem_response(StoreUnavailable())
    event_id, status = message.event_id, _status(message, result)
    if status == "quarantined":
        extra = {"event_id": event_id, "reason": message.reason}
        _log.warning("a message is in quarantine: it was not recognised", extra=extra)
    _log.info("a message was received", extra={"event_id": event_id, "status": status})
    body = json.dumps({"event_id": event_id, "status": status}).encode()
    return MessageResponse(200 if result.duplicate else 202, JSON_HEADERS, body)


def _status(message: ReceivedMessage, result: AcceptResult) -> str:
    return "duplicate" if result.duplicate else "accepted" if message.event else "quarantined"


def _lowered(client_ids: Sequence[str]) -> frozenset[str]:
    return frozenset(client_id.lower() for client_id in client_ids)


def _sender_of(request: MessageRequest, hops: int) -> str:
    """The sender's address as the outermost of ``hops`` trusted proxies reports it."""
    reported = parse_list_header(request.headers.get(FORWARDED_FOR, "")) if hops else []
    return (reported[-hops] if len(reported) >= hops > 0 else "") or request.peer


def _without_port(address: str) -> str:
    """An address without the port that some proxies add: ``192.0.2.1:443``, ``[2001:db8::1]:443``."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    host, _, port = address.partition(":")
    return host if port.isdigit() else address
