"""arq: one job per event. https://arq-docs.helpmanuel.com

Its metadata asks for an older ``redis`` than ours, so ``make bench`` installs it without its dependencies.
"""

import asyncio
import os
from typing import Any

from arq import create_pool
from arq.connections import RedisSettings

from benchmarks.jobs import handle_one

_loop = asyncio.new_event_loop()


async def handle(_context: dict[Any, Any], cell: int) -> None:
    """Handle one message on the event loop, without a hop to a thread."""
    handle_one(cell)


class WorkerSettings:
    """What ``arq`` runs; results are not kept."""

    functions = (handle,)
    redis_settings = RedisSettings.from_dsn(os.environ["REDIS_URL"])
    keep_result = 0
    poll_delay = 0.01


_pool = _loop.run_until_complete(create_pool(WorkerSettings.redis_settings))

COMMAND = ("arq", "benchmarks.job_libraries.arq_app.WorkerSettings")


def enqueue(cell: int) -> None:
    _loop.run_until_complete(_pool.enqueue_job("handle", cell))
