"""The engines stay alive and what they serve moves: slots of a cluster, and a primary that is cut off."""

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from redis import Redis

from processor.store import keys
from processor.store.cluster import ClusterClient
from tests.reliability.failovers import Clustered, Watched, company_of
from tests.reliability.outside import RATE, Client, judge, traffic
from tests.reliability.report import Chapter, times
from tests.support import messages
from tests.support.service import until

Move = Callable[["Redis[Any]", "Redis[Any]", int], None]
"""Moves a slot from the first node to the second."""


def key_by_key(source: "Redis[Any]", target: "Redis[Any]", slot: int) -> None:
    """As ``redis-cli --cluster reshard`` does it."""
    ids = [node.execute_command("CLUSTER", "MYID").decode() for node in (source, target)]
    place = target.connection_pool.connection_kwargs
    target.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
    source.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
    while names := source.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 10):
        source.execute_command("MIGRATE", place["host"], place["port"], "", 0, 5000, "KEYS", *names)
    for node in (target, source):
        node.execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[1])


def as_a_whole(source: "Redis[Any]", target: "Redis[Any]", slot: int) -> None:
    """As Valkey 9 does it by itself."""
    target_id = target.execute_command("CLUSTER", "MYID").decode()
    source.execute_command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", target_id)
    until(lambda: not source.execute_command("CLUSTER", "COUNTKEYSINSLOT", slot))


MOVES: dict[str, Move] = {"key by key": key_by_key, "as a whole": as_a_whole}


def resharding(rounds: int, *, rate: float = RATE) -> Chapter:
    """Move the cells of one primary to another and back so many times, in both ways, under load."""
    seconds: dict[str, list[float]] = {name: [] for name in MOVES}
    with (
        tempfile.TemporaryDirectory(prefix="codat-") as folder,
        Clustered.started(Path(folder)) as engines,
        traffic(rate, **engines.environ, ACK_REPLICAS="1") as (service, sent, subscriber),
        service.redis() as client,
    ):
        assert isinstance(client, ClusterClient)
        engines.until_whole()
        first, second = (
            Redis.from_url(engines.primary(client, cell).url) for cell in _two_cells(engines, client)
        )
        moved = [cell for cell in keys.cells() if engines.primary(client, cell).url == _url(first)]
        caller = Client(service)
        with first, second:
            for turn in range(rounds):
                sent.go_on()
                for name, move in MOVES.items():
                    source, target = (first, second) if name == "key by key" else (second, first)
                    for cell in moved:
                        began = time.monotonic()
                        move(source, target, client.connected().keyslot(keys.cursor(cell)))
                        event_id = f"moved-{turn}-{cell}-{move.__name__}"
                        body = messages.connected(company_of(cell), event_id, at=datetime.now(UTC))
                        caller.post(event_id, body)
                        seconds[name].append(time.monotonic() - began)
                        sent.others.append(event_id)
        caller.close()
        sent.stop()
        faults = judge(service, sent, subscriber)
    report = [
        f"{sum(map(len, seconds.values()))} cells were moved while {len(sent.accepted):,} messages were "
        f"accepted, {sent.repeated:,} of them sent again. Seconds until a cell was moved and a message for "
        "it was accepted:",
        "",
        *times("moved", list(seconds.items())),
    ]
    return Chapter("slots of a cluster that move", faults, report)


def _url(node: "Redis[Any]") -> str:
    place = node.connection_pool.connection_kwargs
    return f"redis://{place['host']}:{place['port']}/0"


def _two_cells(engines: Clustered, client: "Redis[Any]") -> tuple[int, int]:
    """Two cells on different primaries."""
    first = keys.cells()[0]
    home = engines.primary(client, first)
    return first, next(cell for cell in keys.cells() if engines.primary(client, cell) is not home)


def partition(kind: type[Watched] | type[Clustered], alone_s: float, *, rate: float = RATE) -> Chapter:
    """The other engines cannot see a primary, which we can; it goes on for so many seconds."""
    with (
        tempfile.TemporaryDirectory(prefix="codat-") as folder,
        kind.started(Path(folder)) as engines,
        traffic(rate, **engines.environ, ACK_REPLICAS="1") as (service, sent, subscriber),
        service.redis() as client,
    ):
        engines.until_whole()
        sent.go_on()
        old, repeated = engines.primary(client, 0), sent.repeated
        with Redis.from_url(old.url) as cut_off, engines.cut_off(old):
            began = time.monotonic()
            engines.until_replaced(old)
            replaced_s = time.monotonic() - began
            before = _handled(cut_off)
            time.sleep(max(0.0, alone_s - replaced_s))  # how long it goes on is what is tried
            alone = _handled(cut_off) - before - 1  # the first question for it counts as well
        began = time.monotonic()
        caller = Client(service)
        caller.post("healed", messages.connected(company_of(0), "healed", at=datetime.now(UTC)))
        accepting_s = time.monotonic() - began
        sent.others.append("healed")
        engines.until_whole()
        sent.go_on()
        caller.close()
        sent.stop()
        faults = judge(service, sent, subscriber)
        faults["faults without effect"] = int(sent.repeated == repeated)  # without its replica it must refuse
    body = [
        f"With `ACK_REPLICAS=1` the old primary was cut off for {max(alone_s, replaced_s):.1f} s. Another "
        f"one took over after {replaced_s:.1f} s; from then on the old one executed {alone:,} commands. "
        f"{len(sent.accepted):,} messages were accepted, {sent.repeated:,} of them sent again. They were "
        f"accepted again {accepting_s:.1f} s after the engines saw each other{kind.RETURN}.",
    ]
    return Chapter(kind.CUT_OFF, faults, body)


def _handled(client: "Redis[Any]") -> int:
    return int(client.info("stats")["total_commands_processed"])
