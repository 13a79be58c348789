"""Celery: one job per event. https://docs.celeryq.dev"""

import os

from celery import Celery

from benchmarks.jobs import handle_one

app = Celery("bench", broker=os.environ["REDIS_URL"].replace("unix://", "redis+socket://", 1))
app.conf.update(
    task_ignore_result=True, worker_prefetch_multiplier=64, broker_connection_retry_on_startup=True
)
handle = app.task(name="handle_one")(handle_one)
COMMAND = ("celery", "-A", "benchmarks.job_libraries.celery_app", "worker", "--pool", "solo", "-l", "ERROR")


def enqueue(cell: int) -> None:
    handle.delay(cell)
