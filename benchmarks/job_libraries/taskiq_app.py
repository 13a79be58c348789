"""taskiq: one job per event. https://taskiq-python.github.io"""

import asyncio
import os

from taskiq_redis import ListQueueBroker

from benchmarks.jobs import handle_one

broker = ListQueueBroker(os.environ["REDIS_URL"])
_loop = asyncio.new_event_loop()


async def handle_on_loop(cell: int) -> None:
    """Handle one message on the event loop, without a hop to a thread."""
    handle_one(cell)


handle = broker.task(handle_on_loop)

COMMAND = ("taskiq", "worker", "benchmarks.job_libraries.taskiq_app:broker", "--workers", "1")


def enqueue(cell: int) -> None:
    _loop.run_until_complete(handle.kiq(cell))
