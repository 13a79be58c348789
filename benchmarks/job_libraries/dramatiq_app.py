"""Dramatiq: one job per event. https://dramatiq.io"""

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.jobs import handle_one

dramatiq.set_broker(RedisBroker(url=os.environ["REDIS_URL"]))
handle = dramatiq.actor(handle_one)
COMMAND = ("dramatiq", "benchmarks.job_libraries.dramatiq_app", "--processes", "1", "--threads", "1")


def enqueue(cell: int) -> None:
    handle.send(cell)
