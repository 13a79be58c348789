"""Questions about one company share a request."""

from redis import Redis

from handlers.events import Aspect
from processor.store import keys
from tests.support import messages
from tests.workers.codat.asking import Codat, ask, write


def test_questions_about_several_connections_of_a_company_are_one_request(codat: Codat) -> None:
    company = codat.world.create_company("Toft stores").id
    connections = [codat.connect("gbol" if not number else "shpf", company) for number in range(6)]
    codat.change("authorize", connections[0])
    write(codat, *[ask(codat, connection) for connection in connections])
    before = codat.simulation.faults
    codat.break_down(path=f"/companies/{company}/connections/")  # only asking for each would meet this

    assert codat.asking.run() == 6

    codat.bench.drain_all()
    assert before.as_json()["faults"][0]["count"] == 10_000
    assert [codat.bench.state(connection.id) for connection in connections] == ["authorized"] + [
        "pending"
    ] * 5


def test_one_of_several_that_is_not_listed_is_asked_for_by_itself(codat: Codat) -> None:
    company = codat.world.create_company("Toft stores").id
    connections = [codat.connect("shpf", company) for _ in range(3)]
    for connection in connections:
        at = codat.change("authorize", connection)
        codat.bench.handle(messages.connected(company, connection.id, at=at))
    codat.change("delete", connections[1])
    write(codat, *[ask(codat, connection) for connection in connections])

    codat.settle(for_s=70)

    assert [codat.bench.state(item.id) for item in connections] == ["authorized", "deleted", "authorized"]


def test_questions_about_the_history_of_a_company_are_one_answer(codat: Codat) -> None:
    company = codat.world.create_company("Toft stores").id
    connections = [codat.connect("shpf", company) for _ in range(3)]
    for connection in connections:
        at = codat.change("authorize", connection)
        codat.bench.handle(messages.connected(company, connection.id, at=at))
        codat.change("complete-sync", connection)
    codat.settle(for_s=10)
    write(codat, *[ask(codat, connection, aspect=Aspect.HISTORY) for connection in connections])

    assert codat.asking.run() == 3
    codat.bench.drain_all()

    assert {codat.bench.state(item.id) for item in connections} == {"ready"}
    events = {codat.bench.timeline(item.id)[-1]["event_id"] for item in connections}
    assert len(events) == 1


def test_a_company_of_which_codat_answers_counts_as_shown(codat: Codat, redis_url: str) -> None:
    """It was deleted at Codat before any walk had listed it, and stayed ready for ever."""
    with Redis.from_url(redis_url) as client:
        for aspect in (Aspect.CONNECTION, Aspect.HISTORY):
            connection = codat.connect()
            shown_as = keys.shown_as(connection.company)
            assert not client.sismember(keys.shown(keys.cell_of(connection.company)), shown_as)
            write(codat, ask(codat, connection, aspect=aspect))
            assert codat.asking.run() == 1
            assert client.sismember(keys.shown(keys.cell_of(connection.company)), shown_as)
