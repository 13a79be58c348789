"""One worker process: an RQ worker that runs its jobs in the process itself, on one queue."""

import logging
import os
import socket
import time
from typing import Any

from redis import RedisError
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from processor.bootstrap import Container
from processor.queues import DELIVER
from processor.store import health
from processor.store.connect import WORKER_TIMEOUT_S, connect
from workers import runtime

_log = logging.getLogger(__name__)

WORKER_TTL_S = 20
"""RQ's name for how long a silent worker counts as alive; it also listens in spans of this less 15 s."""

MAINTENANCE_INTERVAL_S = 30


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

    def heartbeat(self, *args: Any, **kwargs: Any) -> None:
        """RQ's heartbeat, and ours for ``/readyz``."""
        super().heartbeat(*args, **kwargs)
        if self.health_name:
            health.alive(self.connection, "worker", self.health_name, int(time.time() * 1000))


def work(container: Container, queue: str) -> None:
    """Work on ``queue`` until SIGTERM or SIGINT; what was begun is finished first."""
    settings = container.settings
    if settings.redis_url is None:
        raise RuntimeError("a worker process needs REDIS_URL")
    client = connect(settings.redis_url, timeout_s=WORKER_TIMEOUT_S, verify_tls=settings.redis_tls_verify)
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
