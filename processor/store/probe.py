"""Checks that Redis accepts the commands of the service, each executed in a namespace of its own.

Every function raises ``redis.RedisError`` with the message of Redis, and leaves no key behind.
"""

import contextlib
import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from redis import Redis, RedisError, ResponseError
from rq import Queue
from rq.exceptions import DequeueTimeout
from rq.serializers import JSONSerializer

from handlers.events import Company, Event, Source, UnhandledEvent
from processor.store import keys
from processor.store.acknowledgement import NONE, Acknowledgement
from processor.store.cells import AffectedIds, Cells
from processor.store.cluster import ClusterClient
from processor.store.inbox import Inbox, ReceivedMessage
from processor.store.leases import CellLeases
from processor.store.namespace import in_namespace
from processor.store.unit_of_work import Batch

ID = "probe"
"""Namespace of ``prove_accepting``, and the id of every record in it (in a cluster: how ids begin)."""

BODY = b"{}"
WAIT_S = 1
"""Time limit for the enqueued job to appear."""


def prove_accepting(client: "Redis[Any]", acknowledgement: Acknowledgement = NONE) -> None:
    """Accept a message with the script that accepts Codat's, on every primary and on as many replicas."""
    with in_namespace(ID):
        ids = _id_for_each_primary(client)
        with _cleaned(client, ids):
            _accept(client, ids, acknowledgement)


def prove_draining(client: "Redis[Any]") -> None:
    """Accept a message, read it from its cell, and commit it as processed."""
    with in_namespace(f"{ID}-{secrets.token_hex(4)}"), _cleaned(client, [ID]):
        _accept(client, [ID])
        cells, number = Cells(client), keys.cell_of(ID)
        leases = CellLeases(client, only=[number])
        leases.renew()
        with cells.begin([number]) as pipe:
            waiting, _ = cells.read([number], 1)[number]
            if not waiting:
                raise ResponseError("an accepted message is gone")
            cells.load(pipe, {number: AffectedIds([ID], [ID], [ID])})
            for error in cells.commit(pipe, {number: Batch(done=waiting)}, datetime.now(UTC)).values():
                raise error
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


def _id_for_each_primary(client: "Redis[Any]") -> list[str]:
    """Ids of companies, one in a cell of each primary; ``ID`` where there is one server."""
    if not isinstance(client, ClusterClient):
        return [ID]
    ids: dict[int, str] = {}
    for number in range(8 * len(keys.cells())):  # enough for nearly all cells
        company_id = f"{ID}-{number}"
        ids.setdefault(id(client.node_of(keys.cursor(keys.cell_of(company_id)))), company_id)
    return list(ids.values())


def _accept(
    client: "Redis[Any]", company_ids: Sequence[str], acknowledgement: Acknowledgement = NONE
) -> None:
    inbox = Inbox(client, retention_days=1, dedupe_days=1, acknowledgement=acknowledgement)
    for result in inbox.accept_many([_message(company_id) for company_id in company_ids]):
        if isinstance(result, RedisError):
            raise result


def _message(company_id: str) -> ReceivedMessage:
    now = datetime.now(UTC)
    event: Event = UnhandledEvent(
        event_id=company_id,
        event_type=ID,
        source=Source.CODAT_API,
        received_at=now,
        at=now,
        company=Company(company_id),
    )
    return ReceivedMessage(company_id, BODY, now, event)


@contextlib.contextmanager
def _cleaned(client: "Redis[Any]", company_ids: Sequence[str]) -> Iterator[None]:
    """Delete the keys of a check, unless Redis does not answer."""
    refusal: ResponseError | None = None
    try:
        yield
    except ResponseError as error:
        refusal = error
    with contextlib.suppress(ResponseError), client.pipeline(transaction=False) as pipe:
        for company_id in company_ids:
            cell = keys.cell_of(company_id)
            for name in (
                keys.seen(cell, company_id),
                keys.messages(cell),
                keys.repeats(cell),
                keys.events(cell),
                keys.company_events(company_id),
                *keys.inboxes(cell),
                keys.wake(cell),
                keys.cursor(cell),
                keys.counters(cell),
            ):
                pipe.delete(name)
        pipe.execute()
    if refusal is not None:
        raise refusal
