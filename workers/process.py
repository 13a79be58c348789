"""One worker process: an RQ worker that runs its jobs in the process itself, on one queue."""

import logging
import os
import socket
import time
from itertools import count
from typing import Any

from redis import Redis, RedisError
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from processor.bootstrap import Container
from processor.queues import DELIVER, POLL
from processor.store import health
from processor.store.connect import WORKER_TIMEOUT_S, connect
from processor.truth.beginning import Beginning
from processor.unreachable import why
from workers import runtime

_log = logging.getLogger(__name__)

WORKER_TTL_S = 20
"""RQ's name for how long a silent worker counts as alive; it also listens in spans of this less 15 s."""

MAINTENANCE_INTERVAL_S = 30


PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Between looks whether Redis is there, in seconds; the last one repeats."""

WARN_EVERY = 30
"""Looks."""


class InProcessWorker(SimpleWorker):
    """RQ's worker without a fork: it says that it lives, and reconnects within a second.

    A forked job costs 12 times as much, and the supervisor restarts this process when it dies.
    """

    max_connection_wait_time = 1.0
    health_name: str = ""

    @property
    def stopping(self) -> bool:
        """Whether the process was told to end."""
        return self._stop_requested

    def subscribe(self) -> None:
        """Take no orders by Redis: nobody gives any.

        RQ ends its thread for them within a second, and with a traceback where Redis is later.
        """

    def heartbeat(self, *args: Any, **kwargs: Any) -> None:
        """RQ's heartbeat, and ours for ``/readyz``."""
        super().heartbeat(*args, **kwargs)
        if self.health_name:
            health.alive(self.connection, "worker", self.health_name, int(time.time() * 1000))


def await_redis(client: "Redis[Any]") -> None:
    """Wait until Redis answers, with growing pauses, and say so once a minute; a signal ends the process.

    RQ's worker raises where Redis is away when it is made; later it waits by itself.
    """
    for looked in count():
        try:
            client.ping()
        except RedisError as error:
            if looked % WARN_EVERY == 0:
                reason = why(error) or type(error).__name__
                _log.warning("a worker waits for Redis", extra={"reason": reason})
            time.sleep(PAUSES_S[min(looked, len(PAUSES_S) - 1)])
        else:
            return


def work(container: Container, queue: str) -> None:
    """Work on ``queue`` until SIGTERM or SIGINT; what was begun is finished first."""
    settings = container.settings
    if settings.redis_url is None:
        raise RuntimeError("a worker process needs REDIS_URL")
    client = connect(settings.redis_url, timeout_s=WORKER_TIMEOUT_S, verify_tls=settings.redis_tls_verify)
    await_redis(client)
    if queue == POLL:
        Beginning(client).begins()  # before the service says that it is ready: what is made later is new
    worker = InProcessWorker(
        [Queue(queue, connection=client, serializer=JSONSerializer)],
        name=f"{queue}-{socket.gethostname()}-{os.getpid()}",
        connection=client,
        serializer=JSONSerializer,
        worker_ttl=WORKER_TTL_S,
        maintenance_interval=MAINTENANCE_INTERVAL_S,
        log_job_description=False,
    )
    worker.health_name = worker.name
    own = runtime.install(container, stopping=lambda: worker.stopping)
    if queue == DELIVER:
        own.courier.start()
    try:
        worker.work(logging_level="WARNING")
    finally:
        own.courier.stop()
    try:
        health.gone(client, "worker", worker.name)
    except RedisError as error:
        _log.info("a worker could not say goodbye", extra={"error": repr(error)})
