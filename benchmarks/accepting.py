"""Accepting messages: CPU, rate and latency of one web process, beside two other servers."""

from typing import Any

from redis import Redis

from benchmarks import load, servers
from benchmarks.measure import CpuMeter, EngineMeter, Figure, ratio, repeated, store
from processor.runtime.embedded_engine import Engine
from processor.store import keys
from tests.support import cells
from tests.support.service import messages_of


def signed_requests(count: int, *, prefix: str = "bench") -> list[bytes]:
    """So many authentic messages of connections of their own, as whole requests; valid for five minutes."""
    made = messages_of(count, companies=count // 4, connections=count // 4, prefix=prefix)
    requests = []
    for event_id, body in made.items():
        for kind in (b"company-", b"connection-"):
            body = body.replace(b'"' + kind, b'"' + prefix.encode() + b"-" + kind)
        requests.append(load.message(event_id, body))
    return requests


def measure(count: int, runs: int) -> list[Figure]:
    """``count`` messages to each server, in turn, so many times; then ours at a third of its top rate."""
    with store() as (client, engine):
        values = repeated(runs, lambda: _one_run(client, engine, count))
    cpu = {kind: Figure(f"accept: CPU of web, {kind}", "µs", values[f"{kind} cpu"]) for kind in servers.KINDS}
    rate = {kind: Figure(f"accept: rate, {kind}", "/s", values[f"{kind} rate"]) for kind in servers.KINDS}
    ours, empty, rq = (servers.OURS, servers.EMPTY, servers.RQ)
    engine_cpu = {
        ours: Figure("accept: engine CPU", "µs", values["ours engine"], "≤ 50"),
        rq: Figure("accept: engine CPU of Flask with RQ", "µs", values["rq engine"]),
    }
    return [
        *cpu.values(),
        ratio("accept: CPU, ours to empty", cpu[ours], cpu[empty], target="≤ 2.0"),
        *rate.values(),
        ratio("accept: rate, ours to empty", rate[ours], rate[empty], target="≥ 0.45"),
        ratio("accept: rate, ours to Flask with RQ", rate[ours], rate[rq], target="≥ 2.5"),
        Figure("accept: rate with fsync every second", "/s", values["everysec"]),
        Figure("accept: rate with fsync always, to every second", "times", values["always"], "≥ 0.75"),
        engine_cpu[ours],
        engine_cpu[rq],
        ratio("accept: engine CPU, Flask with RQ to ours", engine_cpu[rq], engine_cpu[ours]),
        Figure("accept: commands in the engine", "a message", values["commands"]),
        Figure("accept: round trips", "a message", values["reads"]),
        Figure("accept: p99 at a third of the top rate", "ms", values["p99"], "< 10"),
        Figure("accept: p99 of the empty answer at that rate", "ms", values["empty p99"]),
    ]


def _one_run(client: "Redis[Any]", engine: Engine, count: int) -> dict[str, float]:
    row: dict[str, float] = {}
    for kind in servers.KINDS:
        client.flushall()
        with servers.running(kind, engine.url, engine.folder) as (port, pid):
            load.send(port, signed_requests(200, prefix="warm"))
            requests = signed_requests(count)
            cpu, meter = CpuMeter([pid]), EngineMeter(client)
            result = load.send(port, requests)
            row[f"{kind} cpu"] = cpu.used_s() / count * 1e6
            row[f"{kind} rate"] = result.rate
            assert set(result.statuses) == {202}, result.statuses
            used = meter.used()
            row[f"{kind} engine"] = used["cpu_s"] / count * 1e6
            if kind == servers.OURS:
                row["commands"], row["reads"] = used["commands"] / count, used["reads"] / count
                assert cells.count(client, keys.events) >= count
                row["everysec"], row["always"] = _fsync_rates(client, port, count)
                row["p99"] = _p99_ms(port, count, result.rate / 3)
            elif kind == servers.EMPTY:
                row["empty p99"] = _p99_ms(port, count, row[f"{servers.OURS} rate"] / 3)
    return row


def _p99_ms(port: int, count: int, rate: float) -> float:
    return load.send(port, signed_requests(count // 3, prefix="late"), rate=rate).latency_ms(0.99)


def _fsync_rates(client: "Redis[Any]", port: int, count: int) -> tuple[float, float]:
    """The rate with ``appendfsync everysec``, and that with ``always`` as its share; measured in turn."""
    rates: dict[str, list[float]] = {"everysec": [], "always": []}
    for turn in range(2):
        for policy, measured in rates.items():
            client.config_set("appendfsync", policy)
            requests = signed_requests(count // 2, prefix=f"{policy}-{turn}")
            measured.append(load.send(port, requests).rate)
    everysec, always = (sum(measured) / 2 for measured in rates.values())
    return everysec, always / everysec
