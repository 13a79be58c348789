"""Replaying and discarding kept messages."""

from collections.abc import Iterator

import pytest
from redis import Redis

from processor.alerts.dialects import recognise
from processor.alerts.replay import ReplayService
from processor.alerts.signature import event_id_of
from processor.errors import Conflict
from processor.resources import queries
from processor.store import keys
from processor.store.waker import HANDLING_RETRIES, Waker
from tests.support import messages
from tests.support.workbench import Workbench, company_in

COMPANY = company_in(1)
CONNECTION = "connection-1"


@pytest.fixture
def bench(redis_url: str) -> Iterator[Workbench]:
    """An empty store."""
    with Redis.from_url(redis_url) as client:
        yield Workbench(client)


@pytest.fixture
def replays(bench: Workbench) -> ReplayService:
    """The service on that store."""
    return ReplayService(reader=bench.reader, inbox=bench.inbox, waker=Waker(bench.client))


def test_an_interrupted_release_is_completed_by_the_next_attempt(
    bench: Workbench, replays: ReplayService
) -> None:
    """The message was accepted, and its copy stayed in the quarantine, out of reach."""
    body = messages.connected(COMPANY, CONNECTION)
    bench.inbox.quarantine("odd", body, bench.clock(), "why")
    event = recognise(body, event_id="odd", received_at=bench.clock())
    bench.inbox.accept(event, body)
    bench.inbox.quarantine("odd", body, bench.clock(), "why")

    replays.replay("odd")

    assert list(replays.ids_of("quarantined")) == []


def test_what_was_discarded_is_not_replayed_with_its_connection(
    bench: Workbench, replays: ReplayService
) -> None:
    bench.send(messages.connected(COMPANY, CONNECTION), event_id="good")
    bench.drain_all()
    bench.send(messages.read(COMPANY, CONNECTION), event_id="bad")
    bench.corrupt("bad")
    bench.drain_all()
    for _ in HANDLING_RETRIES:
        bench.inbox.requeue("bad", status="failed", cell=1, only_if=True)
        bench.drain_all()
    replays.discard("bad")
    assert list(replays.ids_about(CONNECTION, COMPANY)) == ["good"]


def test_messages_of_an_unreadable_connection_are_not_replayed(
    bench: Workbench, replays: ReplayService
) -> None:
    """Each would fail, and only handled messages make the record again."""
    bench.handle(messages.connected(COMPANY, CONNECTION))
    bench.client.set(keys.connection(1, CONNECTION), b"?")
    with pytest.raises(Conflict, match="repair"):
        list(replays.ids_about(CONNECTION, COMPANY))


def test_a_message_is_found_by_its_webhook_id_as_it_was_sent(
    bench: Workbench, replays: ReplayService
) -> None:
    """An id that cannot be part of an address is kept under its hash."""
    sent, body = "msg 1/2 é", messages.connected(COMPANY, CONNECTION)
    kept = event_id_of({"webhook-id": sent, "webhook-timestamp": "1", "webhook-signature": "v1,"}, body)
    bench.send(body, event_id=kept)
    assert (kept != sent, queries.event(bench.reader, sent)["id"]) == (True, kept)
    assert replays.replay(sent) == {"event_id": kept, "status": "pending"}
