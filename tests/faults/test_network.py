"""A network that resets, falls silent, delays and trickles, between the product and its engine."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis import Redis, RedisError

from processor.store.client import WORKER_TIMEOUT_S, connect
from tests.support import messages
from tests.support.engines import own_engine
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.serving import ADDRESS, serving
from tests.support.workbench import Workbench

POINTS = 40
"""At how many points of the answers of one drain the connection is reset."""

COMPANIES = 3


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultProxy]:
    """A proxy before an engine."""
    folder: Path = tmp_path_factory.mktemp("engine")
    with own_engine(folder) as url, fault_proxy(urlsplit(url).port or 0) as proxy:
        yield proxy


@pytest.fixture
def behind(line: FaultProxy) -> Iterator["Redis[Any]"]:
    """A client of a worker that reaches an empty engine through the proxy, which disturbs nothing yet."""
    line.heal()
    client = connect(line.url, timeout_s=WORKER_TIMEOUT_S)
    client.flushall()
    yield client
    client.close()


def sent(bench: Workbench) -> list[str]:
    """Accept what makes two notifications for each company; the event ids."""
    return bench.fill(
        body
        for number in range(COMPANIES)
        for body in (
            messages.connected(f"company-{number}", f"connection-{number}"),
            messages.initial_read(f"company-{number}", f"connection-{number}"),
        )
    )


def outcome(bench: Workbench) -> dict[str, Any]:
    """What users and operators see in the end."""
    connections = [f"connection-{number}" for number in range(COMPANIES)]
    return {
        "told": sorted(body["id"] for body in bench.told()),
        "states": [bench.state(connection_id) for connection_id in connections],
        "timelines": [[row["event_type"] for row in bench.timeline(id_)] for id_ in connections],
    }


def test_a_reset_anywhere_in_the_answers_of_a_drain_loses_nothing_and_tells_once(
    line: FaultProxy, behind: "Redis[Any]"
) -> None:
    """The engine did what it was told, and the answer is lost: what a retry must not do twice."""

    def run(reset_after: float) -> tuple[dict[str, Any], int]:
        """The outcome, and how many bytes of answers the drain got."""
        behind.flushall()
        bench = Workbench(behind)
        ids, before = sent(bench), line.answered
        line.reset_after(reset_after)
        try:
            bench.drain_all()
        except RedisError:
            bench.drain_all()
        answered = line.answered - before
        assert [bench.status(event_id) for event_id in ids] == ["processed"] * len(ids)
        return outcome(bench), answered

    undisturbed, length = run(math.inf)
    assert len(undisturbed["told"]) == 2 * COMPANIES
    before = line.resets
    for point in range(POINTS):
        disturbed, _ = run(1 + point * length // POINTS)
        assert disturbed == undisturbed, point
    assert line.resets - before == POINTS


def test_a_message_whose_answer_is_lost_is_kept_once(line: FaultProxy, behind: "Redis[Any]") -> None:
    caller = serving(line.url)
    body = messages.connected("company-1", "connection-1")

    def post(event_id: str) -> int:
        return caller.post(ADDRESS, data=body, headers=messages.signed(body, event_id)).status_code

    post("msg_connecting")  # connects
    line.heal()
    answered = line.answered
    assert post("msg_first") == 202
    length, resets = line.answered - answered, line.resets
    points = range(1, length)
    for point in points:
        line.reset_after(point)
        answers = [post(f"msg_{point}")]
        line.heal()
        while answers[-1] == 503:
            answers.append(post(f"msg_{point}"))
        assert answers[-1] in {200, 202}, answers
    assert line.resets - resets == len(points) > 0
    page = Workbench(behind).reader.list_events(status=None, limit=100, cursor=None)
    kept = sorted(row["event_id"] for row in page.items)
    assert kept == sorted(["msg_first", "msg_connecting", *(f"msg_{point}" for point in points)])


def test_while_nothing_passes_a_message_is_refused_and_afterwards_kept(line: FaultProxy) -> None:
    line.heal()
    caller = serving(line.url, hurried=True)
    body = messages.connected("company-1", "connection-1")

    def post(event_id: str) -> int:
        return caller.post(ADDRESS, data=body, headers=messages.signed(body, event_id)).status_code

    assert post("msg_before") in {202, 503}
    for number, disturb in enumerate((line.hold, line.cut)):
        disturb()
        assert post(f"msg_{number}") == 503
        line.heal()
        while (answer := post(f"msg_{number}")) == 503:
            pass
        assert answer in {200, 202}
