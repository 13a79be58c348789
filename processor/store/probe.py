"""Checks that Redis accepts the commands of the service, each executed in a namespace of its own.

Every function raises ``redis.RedisError`` with the message of Redis, and leaves no key behind.
"""

import contextlib
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from redis import Redis, RedisError, ResponseError
from rq import Queue
from rq.exceptions import DequeueTimeout
from rq.serializers import JSONSerializer

from handlers.events import Company, Event, Source, UnhandledEvent
from processor.store import keys
from processor.store.acknowledgement import NONE, Acknowledgement
from processor.store.cells import Cell
from processor.store.inbox import Inbox, ReceivedMessage
from processor.store.leases import CellLeases
from processor.store.namespace import in_namespace
from processor.store.unit_of_work import Batch

ID = "probe"
"""Namespace of ``prove_accepting``, and the id of every record in it."""

BODY = b"{}"
WAIT_S = 1
"""Time limit for the enqueued job to appear."""


def prove_accepting(client: "Redis[Any]", acknowledgement: Acknowledgement = NONE) -> None:
    """Accept a message with the script that accepts Codat's, on as many replicas."""
    with in_namespace(ID), _cleaned(client):
        _accept(client, acknowledgement)


def prove_draining(client: "Redis[Any]") -> None:
    """Accept a message, read it from its cell, and commit it as processed."""
    with in_namespace(f"{ID}-{secrets.token_hex(4)}"), _cleaned(client):
        _accept(client)
        cell = Cell(client, keys.cell_of(ID))
        leases = CellLeases(client, only=[cell.number])
        leases.renew()
        with cell.begin() as pipe:
            waiting, _ = cell.read(1)
            if not waiting:
                raise ResponseError("an accepted message is gone")
            cell.load(pipe, [ID], [ID], [ID])
            cell.commit(pipe, Batch(done=waiting), datetime.now(UTC))
        leases.waiting(1)
        leases.release()


def prove_enqueuing(client: "Redis[Any]") -> None:
    """Enqueue a job in a separate queue and dequeue it as a worker does."""
    queue = Queue(f"{ID}-{secrets.token_hex(4)}", connection=client, serializer=JSONSerializer)
    try:
        job = queue.enqueue_call(ID)
        try:
            Queue.dequeue_any([queue], WAIT_S, connection=client, serializer=JSONSerializer)
        except DequeueTimeout:
            raise ResponseError("an enqueued job is gone") from None
        finally:
            job.delete()
    finally:
        with contextlib.suppress(ResponseError):
            client.delete(queue.intermediate_queue_key)
            queue.delete()


def _accept(client: "Redis[Any]", acknowledgement: Acknowledgement = NONE) -> None:
    now = datetime.now(UTC)
    event: Event = UnhandledEvent(
        event_id=ID, event_type=ID, source=Source.CODAT_API, received_at=now, at=now, company=Company(ID)
    )
    inbox = Inbox(client, retention_days=1, dedupe_days=1, acknowledgement=acknowledgement)
    (result,) = inbox.accept_many([ReceivedMessage(ID, BODY, now, event)])
    if isinstance(result, RedisError):
        raise result


@contextlib.contextmanager
def _cleaned(client: "Redis[Any]") -> Iterator[None]:
    """Delete the keys of a check, unless Redis does not answer."""
    refusal: ResponseError | None = None
    try:
        yield
    except ResponseError as error:
        refusal = error
    cell = keys.cell_of(ID)
    with contextlib.suppress(ResponseError), client.pipeline(transaction=False) as pipe:
        for name in (
            keys.seen(cell, ID),
            keys.messages(cell),
            keys.repeats(cell),
            keys.events(cell),
            keys.company_events(ID),
            keys.inbox(cell),
            keys.wake(cell),
            keys.cursor(cell),
            keys.counters(cell),
        ):
            pipe.delete(name)
        pipe.execute()
    if refusal is not None:
        raise refusal
