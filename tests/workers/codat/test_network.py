"""A network that resets, falls silent and trickles, between us and Codat."""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from urllib.parse import urlsplit

import pytest

from processor.codat.client import CodatClient
from processor.codat.errors import CodatUncertain
from processor.codat.http import CodatHttp
from processor.errors import CodatError, CodatUnavailable
from processor.simulator import SimulatorConfig
from tests.support.effort import IN_CI
from tests.support.fault_proxy import FaultProxy
from tests.support.service import until
from tests.workers.codat.asking import BUDGET_S, Codat, ask, write

POINTS = 20 if IN_CI else 8
"""At how many points of an answer the connection is reset."""

Connect = Callable[..., tuple[FaultProxy, CodatClient]]


@pytest.fixture
def connect(codat: Codat) -> Iterator[Connect]:
    """A network before Codat, and a client behind it; no connection and no thread outlives the client."""
    threads = set(threading.enumerate())
    made: list[tuple[FaultProxy, CodatClient]] = []

    def connect(*, budget_s: float = BUDGET_S, **how: float) -> tuple[FaultProxy, CodatClient]:
        proxy = FaultProxy(urlsplit(codat.url).port or 0, **how)
        client = CodatClient(
            CodatHttp(
                api_key=SimulatorConfig().api_key,
                base_url=f"http://127.0.0.1:{proxy.port}",
                timeout_s=budget_s,
                budget_s=budget_s,
                sleep=lambda _: None,
            )
        )
        made.append((proxy, client))
        return proxy, client

    yield connect
    with ExitStack() as stack:
        for proxy, client in made:
            stack.callback(proxy.close)
            client.close()
            until(partial(_is_idle, proxy))
    until(lambda: all("process_request" in thread.name for thread in set(threading.enumerate()) - threads))


def _is_idle(proxy: FaultProxy) -> bool:
    return proxy.open_connections == 0


def test_wherever_an_answer_breaks_off_a_question_is_answered_once(codat: Codat, connect: Connect) -> None:
    """A reading is repeated: it changes nothing, and its answer enters the inbox once."""
    line, client = connect()
    asking = codat.asking_with(client)

    def answered(reset_after: float) -> tuple[list[tuple[str, str]], int]:
        """The timeline of a connection whose only news is the answer, and the bytes of the answers."""
        connection, before = codat.connect(), line.answered
        codat.change("authorize", connection)
        write(codat, ask(codat, connection))
        line.reset_after(reset_after)
        assert asking.run() == 1
        codat.bench.drain_all()
        assert codat.bench.told_types(connection.id) == ["connection.authorized"]
        return codat.sources(connection), line.answered - before

    undisturbed, length = answered(math.inf)
    for point in range(POINTS):
        assert answered(1 + point * length // POINTS)[0] == undisturbed, point
    assert line.resets == POINTS


def test_wherever_an_answer_breaks_off_a_change_is_made_at_most_once(codat: Codat, connect: Connect) -> None:
    """Whether it was made is then unknown, and that is what the caller is told: it is not sent again."""
    line, client = connect()

    def create(reset_after: float) -> int:
        before = line.answered
        line.reset_after(reset_after)
        client.create_company(name="Corner Shop")
        return line.answered - before

    length = create(math.inf)
    before = len(codat.world.companies())
    for point in range(POINTS):
        with pytest.raises(CodatUncertain):
            create(1 + point * length // (POINTS + 1))
    assert line.resets == POINTS
    assert len(codat.world.companies()) == before + POINTS


def test_a_codat_that_cannot_be_reached_or_falls_silent_is_unavailable_and_works_again(
    codat: Codat, connect: Connect
) -> None:
    line, client = connect(budget_s=0.5)
    company = codat.world.create_company("Toft stores").id
    until(lambda: _answers(client, company))
    before = len(codat.world.companies())
    for disturb in (line.cut, line.hold):
        disturb()
        with pytest.raises(CodatUnavailable):
            client.get_company(company)
        with pytest.raises(CodatError):  # unavailable, or uncertain where it was sent into a silent line
            client.create_company(name="Corner Shop")
        line.heal()
        until(lambda: _answers(client, company))
    assert len(codat.world.companies()) - before <= 2


def _answers(client: CodatClient, company: str) -> bool:
    try:
        return client.get_company(company) is not None
    except CodatUnavailable:  # within half a second a busy machine may not answer
        return False


def test_an_answer_that_trickles_does_not_outlast_the_budget_of_a_call(
    codat: Codat, connect: Connect
) -> None:
    """Each byte came in time, and all of them together never."""
    _, client = connect(budget_s=0.3, bytes_per_s=200)
    company = codat.world.create_company("x" * 2_000).id
    with pytest.raises(CodatUnavailable):
        client.get_company(company)
