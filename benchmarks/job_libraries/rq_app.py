"""RQ, the job library of this project: one job per event. https://python-rq.org"""

import os

from redis import Redis
from rq import Queue

from benchmarks.jobs import handle_one

_queue = Queue("bench", connection=Redis.from_url(os.environ["REDIS_URL"]))
COMMAND = ("rq", "worker", "bench", "--url", os.environ["REDIS_URL"], "-w", "rq.SimpleWorker", "-q")


def enqueue(cell: int) -> None:
    _queue.enqueue(handle_one, cell, result_ttl=0)
