"""What a handled message and a connection cost the engine: counts and bytes, which hold on every machine."""

from collections.abc import Mapping
from datetime import timedelta

from processor.store import keys, retention
from tests.support import cells, messages
from tests.support.counting import RoundTrips, commands
from tests.support.messages import LONG_AGO
from tests.support.workbench import Workbench, company_in

CONNECTIONS = 400


def test_a_backlog_takes_few_commands_for_each_message(bench: Workbench) -> None:
    bench.fill(
        messages.connected(
            f"company-{number % CONNECTIONS}",
            f"connection-{number % CONNECTIONS}",
            at=LONG_AGO + timedelta(seconds=number),
        )
        for number in range(2_000)
    )
    before = commands(bench.client)

    bench.drain_all()

    assert _calls(bench, before) <= 2_000 * 2.1


def test_one_message_in_each_cell_takes_few_round_trips(bench: Workbench, redis_url: str) -> None:
    """At a low rate each message comes alone: what a pass over the cells costs, counts then."""
    connection_ids = [f"connection-{cell}" for cell in keys.cells()]
    trips = RoundTrips()
    drain = Workbench(trips.client(redis_url)).drain()
    bench.send(*(messages.created(company_in(cell), connection_ids[cell]) for cell in keys.cells()))
    drain.batch(*keys.cells())
    bench.send(*(messages.connected(company_in(cell), connection_ids[cell]) for cell in keys.cells()))
    trips.reset()
    before = commands(bench.client)

    assert drain.batch(*keys.cells()).count == len(keys.cells())

    assert trips.count <= 5
    assert _calls(bench, before) <= len(keys.cells()) * 25
    assert {bench.state(connection_id) for connection_id in connection_ids} == {"authorized"}


def _calls(bench: Workbench, before: Mapping[str, int]) -> int:
    """The commands that the engine ran since, those in scripts included."""
    return sum(count - before.get(name, 0) for name, count in commands(bench.client).items())


def test_a_kept_message_takes_few_bytes(bench: Workbench) -> None:
    ids = bench.handle(*(messages.connected(f"company-{n}", f"connection-{n}") for n in range(CONNECTIONS)))

    parts = ("*:messages", "*:events", "*:company-events:*", "*:repeats", "*:inbox", "*:seen:*", "*:events:*")
    names = {name for part in parts for name in bench.client.scan_iter(part, count=1_000)}
    used = sum(bench.client.memory_usage(name, samples=0) or 0 for name in names)
    assert used <= len(ids) * 520


def test_a_connection_with_its_first_message_takes_few_bytes(bench: Workbench) -> None:
    bench.handle(*(messages.connected(f"company-{n}", f"connection-{n}") for n in range(CONNECTIONS)))

    names = list(bench.client.scan_iter(count=1_000))
    used = sum(bench.client.memory_usage(name, samples=0) or 0 for name in names)
    timeline = cells.where(bench.client, keys.timeline, "connection-7")
    notifications = [name for name in names if b":notification:" in name]
    assert used <= CONNECTIONS * 1_750
    assert (bench.client.memory_usage(timeline, samples=0) or 0) <= 180
    assert len(notifications) == CONNECTIONS
    told = sum(bench.client.memory_usage(name, samples=0) or 0 for name in notifications)
    assert told <= CONNECTIONS * 200


def test_a_connection_that_is_told_and_has_no_messages_takes_few_bytes(bench: Workbench) -> None:
    """Its five records, and its place in the lists of connections, companies, notifications and polls."""
    bench.handle(*(messages.connected(f"company-{n}", f"connection-{n}") for n in range(CONNECTIONS)))
    bench.publish()
    retention.trim(bench.client, bench.clock() + timedelta(days=31))

    makers = (keys.reminders, keys.counters, keys.inbox, keys.replays, keys.fan_out, keys.published)
    passing = {make(cell) for make in makers for cell in keys.cells()} | {keys.stream()}
    names = {name.decode() for name in bench.client.scan_iter(count=1_000)} - passing
    used = sum(bench.client.memory_usage(name, samples=0) or 0 for name in names)
    assert used <= CONNECTIONS * 1_060
