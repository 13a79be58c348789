"""One worker process: an RQ worker that runs its jobs in the process itself, on one queue."""

import logging
import os
import socket
import time
from collections.abc import Callable
from typing import Any

from redis import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import DequeueTimeout, StopRequested
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus

from processor.bootstrap import Container
from processor.queues import DELIVER, POLL
from processor.store import health
from processor.truth.beginning import Beginning
from workers import runtime
from workers.condition_watch import ConditionWatch
from workers.outage import Outage

_log = logging.getLogger(__name__)

WORKER_TTL_S = 20
"""RQ's name for how long a silent worker counts as alive; it also listens in spans of this less 15 s."""

MAINTENANCE_INTERVAL_S = 30


class InProcessWorker(SimpleWorker):
    """RQ's worker without a fork, which waits for a Redis that is away or refuses, whatever it says.

    A forked job costs 12 times as much, and the supervisor restarts this process when it dies. RQ's own loop
    waits only while it listens and only for a Redis that is away; otherwise it ends with a traceback.
    """

    health_name: str = ""

    @property
    def stopping(self) -> bool:
        """Whether the process was told to end."""
        return self._stop_requested

    def subscribe(self) -> None:
        """Take no orders by Redis: nobody gives any.

        RQ ends its thread for them within a second, and with a traceback where Redis is later.
        """

    def set_shutdown_requested_date(self) -> None:
        """Write nothing: a signal handler must not wait for Redis, or for what it interrupted."""

    def heartbeat(self, *args: Any, **kwargs: Any) -> None:
        """RQ's heartbeat, and ours for ``/readyz``."""
        super().heartbeat(*args, **kwargs)
        if self.health_name:
            health.alive(self.connection, "worker", self.health_name, int(time.time() * 1000))

    def listen(self, prepare: Callable[[], object]) -> None:
        """Do jobs until a signal comes; first ``prepare``, which is repeated until Redis lets it succeed."""
        self._install_signal_handlers()  # type: ignore[no-untyped-call]
        outage = Outage(self.name)
        prepared = False
        while not self._stop_requested:
            try:
                if not prepared:
                    prepare()
                    self.connection.delete(self.key)  # of a process that died and had the same number
                    self.register_birth()  # type: ignore[no-untyped-call]
                    prepared = True
                self._do_next()
                outage.ended()
            except RedisError as error:
                self._state = WorkerStatus.IDLE  # a signal ends the pause
                time.sleep(outage.failed(error))

    def _do_next(self) -> None:
        """Wait a while for a job, and do it."""
        if self.should_run_maintenance_tasks:
            self.run_maintenance_tasks()  # type: ignore[no-untyped-call]
        self.heartbeat()
        try:
            found = self.queue_class.dequeue_any(
                self._ordered_queues,
                self.dequeue_timeout,
                connection=self.connection,
                job_class=self.job_class,
                serializer=self.serializer,
                death_penalty_class=self.death_penalty_class,
            )
        except DequeueTimeout:
            return
        if found is not None:
            job, queue = found
            job.redis_server_version = self.get_redis_server_version()  # type: ignore[no-untyped-call]
            self.execute_job(job, queue)

    def _finalize_failure(self, job: Any, queue: Any, execution: Any, exc_info: Any) -> None:
        """Leave a job that Redis interrupted as it is: it is a wake-up call, and RQ forgets it in time."""
        if isinstance(exc_info[1], RedisError):
            raise exc_info[1]
        super()._finalize_failure(job, queue, execution, exc_info)


def work(container: Container, queue: str) -> None:
    """Work on ``queue`` until SIGTERM or SIGINT; what was begun is finished first."""
    client = container.redis
    worker = _made(container, queue)
    own = runtime.install(container, stopping=lambda: worker.stopping)
    watch = ConditionWatch(container)
    if queue == DELIVER:
        own.courier.start()
        watch.start()

    def prepare() -> None:
        if queue == POLL:
            Beginning(client).begins()  # before the service says that it is ready: what is made later is new

    try:
        worker.listen(prepare)
    except StopRequested:
        _log.debug("a worker was told to end", extra={"child": worker.name})
    finally:
        watch.stop()
        own.courier.stop()
    try:
        worker.register_death()  # type: ignore[no-untyped-call]
        health.gone(client, "worker", worker.name)
    except RedisError as error:
        _log.info("a worker could not say goodbye", extra={"error": repr(error)})


def _made(container: Container, queue: str) -> InProcessWorker:
    """The worker, as soon as Redis answers: RQ asks it for our address."""
    outage = Outage(queue)
    while True:
        try:
            worker = InProcessWorker(
                [Queue(queue, connection=container.redis, serializer=JSONSerializer)],
                name=f"{queue}-{socket.gethostname()}-{os.getpid()}",
                connection=container.redis,
                serializer=JSONSerializer,
                worker_ttl=WORKER_TTL_S,
                maintenance_interval=MAINTENANCE_INTERVAL_S,
                log_job_description=False,
            )
        except RedisError as error:
            time.sleep(outage.failed(error))
        else:
            outage.ended()
            worker.health_name = worker.name
            return worker
