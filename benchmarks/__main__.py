"""How fast the service is on this machine: ``python -m benchmarks``, or ``make bench``.

Three figures, each on real processes and the embedded engine, which has every write on disk before it
answers: draining a backlog, the same work with a job of its own for every message, and messages that are
accepted and handled at the same time. They are to be compared with each other, not with other machines.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from redis import Redis
from rq import Queue, SimpleWorker

from benchmarks.jobs import one_by_one
from handlers.registry import Policy
from processor.clock import from_iso
from processor.runtime.embedded_engine import Engine
from processor.store import keys
from tests.support import messages
from tests.support.service import Sender, Service, is_done, messages_of, until
from tests.support.workbench import Workbench
from workers.inbox.drain import Drain

SHARDS = 4


def backlog(bench: Workbench, count: int) -> None:
    """Accept ``count`` messages of a quarter as many connections."""
    bodies = messages_of(count, companies=count // 4, connections=count // 4).values()
    bench.fill(bodies)


def drained(client: "Redis[Any]", count: int) -> float:
    """Messages a second of one process that drains a backlog in batches."""
    bench = Workbench(client)
    backlog(bench, count)
    work = Drain(client, policy=Policy(), shards=SHARDS)
    began = time.perf_counter()
    for shard in range(SHARDS):
        work.run(shard, run_s=3600)
    return count / (time.perf_counter() - began)


def job_per_message(client: "Redis[Any]", address: str, count: int) -> float:
    """Messages a second of one process that runs a job for each message, in the process itself."""
    bench = Workbench(client)
    backlog(bench, count)
    queue = Queue("bench", connection=client)
    for shard in range(SHARDS):
        for _ in range(client.xlen(keys.inbox(shard))):
            queue.enqueue(one_by_one, shard, SHARDS, address, result_ttl=0)
    worker = SimpleWorker([queue], connection=client)
    began = time.perf_counter()
    worker.work(burst=True, logging_level="ERROR")
    took = time.perf_counter() - began
    assert not bench.waiting()
    return count / took


def both_at_once(folder: Path, count: int) -> tuple[float, list[float]]:
    """Messages a second that the whole service accepts from several senders, and how late each was handled.

    The delays are in milliseconds, from the arrival of a message to the commit of what followed, sorted.
    """
    made = messages_of(count, companies=count // 4, connections=count // 4, prefix="bench")
    with Service(folder, LOG_LEVEL="WARNING") as service:
        sender = Sender(service, threads=16)
        began = time.perf_counter()
        sender.send(made)
        took = time.perf_counter() - began
        until(lambda: is_done(service, list(made)))
        return len(sender.accepted) / took, sorted(_delays_ms(service.redis(), made))


def _delays_ms(client: "Redis[Any]", made: Mapping[str, bytes]) -> Iterator[float]:
    with client.pipeline(transaction=False) as pipe:
        for event_id in made:
            pipe.hmget(keys.event(event_id), "received_at", "processed_at")
        for received_at, processed_at in pipe.execute():
            since = from_iso(received_at.decode())
            yield (from_iso(processed_at.decode()) - since).total_seconds() * 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--count", type=int, default=8_000, help="messages for each figure (8000)")
    count = parser.parse_args().count
    size = len(messages.connected("company", "connection"))
    print(f"{count:,} messages of about {size} bytes for each figure (an eighth for a job each)")
    with (
        tempfile.TemporaryDirectory(prefix="codat-") as folder,
        Engine(Path(folder)) as engine,
        Redis.from_url(engine.url) as client,
    ):
        print(f"drained in batches, one process    {drained(client, count):>8,.0f} messages/s")
        client.flushall()
        rate = job_per_message(client, engine.url, count // 8)
        print(f"a job for each message, likewise   {rate:>8,.0f} messages/s")
    with tempfile.TemporaryDirectory(prefix="codat-") as folder:
        rate, delays = both_at_once(Path(folder), count)
        middle, late = delays[len(delays) // 2], delays[len(delays) * 99 // 100]
        print(f"accepted while they are handled    {rate:>8,.0f} messages/s")
        print(f"  handled after {middle:,.0f} ms (half of them), {late:,.0f} ms (99 of 100)")


if __name__ == "__main__":
    main()
