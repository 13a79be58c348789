"""Huey: one job per event. https://huey.readthedocs.io"""

import os

from huey import RedisHuey

from benchmarks.jobs import handle_one

huey = RedisHuey("bench", url=os.environ["REDIS_URL"], results=False)
handle = huey.task()(handle_one)
COMMAND = ("huey_consumer", "benchmarks.job_libraries.huey_app.huey", "-w", "1", "-q")


def enqueue(cell: int) -> None:
    handle(cell)
