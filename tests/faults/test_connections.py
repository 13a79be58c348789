"""Few connections to Redis: the service keeps to its share, and is not stuck where there are too few."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from redis import Redis

from processor.settings.loading import load
from processor.store import keys
from processor.store.client import connect
from processor.store.connection_limits import needed
from processor.store.waker import ASK, DELIVER, POLL
from tests.support import cells
from tests.support.effort import in_turn
from tests.support.engines import own_engine
from tests.support.service import Sender, Service, is_done, messages_of, until
from tests.support.serving import ENVIRON
from tests.workers.delivery.receiving import Receiver

pytestmark = pytest.mark.timeout(600)

KEY = "a-key-of-the-tests"
CALLERS = 34
MESSAGES = 200
TOLD = 80
"""Two milestones of each of 40 connections."""


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.stop()


def subscribed(service: Service, receiver: Receiver) -> None:
    """Have everything sent to the receiver."""
    answer = httpx.post(
        f"{service.url}/v1/subscribers",
        json={"url": receiver.url},
        headers={"Authorization": f"Bearer {KEY}"},
        trust_env=False,
        timeout=60,
    )
    assert answer.status_code == 201, answer.text


def open_to(client: Redis) -> int:
    """How many connections there are besides this one."""
    return len(client.client_list()) - 1


def kept_idle(workers: int) -> int:
    """Most connections of an idle service: the wait for a job and the heartbeat of each worker process, two
    more of that which delivers, which listens and looks, and two of the clock, which ticks and watches."""
    return 2 * (workers + len((ASK, DELIVER, POLL))) + 2 + 2


@pytest.mark.parametrize(
    ("most", "processes"),
    in_turn(
        [
            pytest.param(40, {}, id="enough"),
            pytest.param(32, {"WEB_CONCURRENCY": "4", "WORKERS": "4"}, id="too few"),
        ],
        2,
    ),
)
def test_an_overload_leaves_nothing_untold_and_no_connection_behind(
    make_service: Callable[..., Service],
    data_dir: Path,
    receiver: Receiver,
    most: int,
    processes: dict[str, str],
) -> None:
    """``maxclients 40`` and 240 messages a second for a while: 1,844 of 1,909 notifications stayed untold at
    zero load, ``/readyz`` was plain, and each thread kept the connection that it had opened."""
    with (
        own_engine(data_dir / "redis", "--maxclients", str(most)) as url,
        connect(url, timeout_s=60, max_connections=1) as client,
    ):
        client.ping()  # one connection, which stays
        service = make_service(
            REDIS_URL=url, API_KEYS=KEY, ALLOW_PRIVATE_SUBSCRIBERS="true", **processes
        ).start()
        subscribed(service, receiver)
        bodies = messages_of(MESSAGES)
        seen: list[int] = []
        sender = Sender(service, threads=CALLERS)
        sender.send(bodies, on_answer=lambda good: good % 10 or seen.append(open_to(client)))

        until(lambda: is_done(service, list(bodies)))
        until(lambda: len({one.id for one in receiver.received}) == TOLD)
        until(lambda: cells.count(client, keys.outbox_with, "pending") == 0)

        settings = load({**ENVIRON, "WORKERS": "2", **processes})
        assert max(seen) <= min(most, needed(settings))
        until(lambda: open_to(client) <= kept_idle(settings.workers))  # the others were closed
