"""One worker process: an RQ worker that runs its jobs in the process itself, on one queue."""

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from redis import Redis, RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import DequeueTimeout, StopRequested
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus

from processor.container import Container
from processor.reconciliation.baseline import Baseline
from processor.runtime.watchdog import PROGRESS_TIMEOUT_S, Pulse
from processor.store import heartbeats, layout
from processor.store.client import close_idle, peak_use
from processor.store.connection_errors import is_unblocked
from processor.store.metrics import Metrics
from processor.store.waker import DELIVER, DRAIN, POLL
from workers import runtime
from workers.condition_watch import ConditionWatch
from workers.delivery.listener import Listener
from workers.redis_outage import RedisOutage
from workers.stand_in import StandInClock

_log = logging.getLogger(__name__)

WORKER_TTL_S = 20
"""How long a silent worker counts as alive for RQ, in seconds; it also blocks for this time less 15 s."""

MAINTENANCE_INTERVAL_S = 30

HEARTBEAT_S = 2.0


class InProcessWorker(SimpleWorker):
    """RQ's worker without forks, which waits for a Redis that is away or refuses commands.

    A forked job costs 12 times as much, and the supervisor restarts this process when it dies. RQ's own loop
    waits only while it listens, and only for a Redis that is away; otherwise it ends with a traceback.
    """

    pulse: Pulse
    is_well: Callable[[], bool] = staticmethod(lambda: True)
    """Whether the other threads of this process work."""

    @property
    def stopping(self) -> bool:
        """Whether the process is to end."""
        return self._stop_requested

    def subscribe(self) -> None:
        """Do not listen for RQ's commands, which are not used.

        RQ gives the thread for them a second to end, and logs a traceback where Redis is slower.
        """

    def set_shutdown_requested_date(self) -> None:
        """Write nothing: a signal handler must not wait for Redis, or for the code that it interrupted."""

    def handle_warm_shutdown_request(self) -> None:
        """Remember the signal: RQ raises an exception wherever it comes, which logging may catch."""
        self._stop_requested = True
        super().handle_warm_shutdown_request()  # type: ignore[no-untyped-call]

    def listen(self, prepare: Callable[[], object], on_ready: Callable[[], object]) -> None:
        """Do jobs until a signal comes; before, call ``prepare`` until it succeeds, and then ``on_ready``."""
        self._install_signal_handlers()  # type: ignore[no-untyped-call]
        outage = RedisOutage(self.name)
        prepared = False
        while not self._stop_requested:
            if self.is_well():
                self.pulse.beat()
            try:
                if not prepared:
                    prepare()
                    self.connection.delete(self.key)  # of a dead process with the same pid
                    self.register_birth()  # type: ignore[no-untyped-call]
                    prepared = True
                    outage.ended()
                    on_ready()
                self._do_next()
                outage.ended()
            except RedisError as error:
                self._state = WorkerStatus.IDLE  # a signal ends the pause
                if not is_unblocked(error):  # the next command shows whether anything is wrong
                    time.sleep(outage.failed(error))

    def _do_next(self) -> None:
        """Wait some seconds for a job, and do it."""
        if self.should_run_maintenance_tasks:
            self.run_maintenance_tasks()  # type: ignore[no-untyped-call]
        self.heartbeat()
        try:
            dequeued = self.queue_class.dequeue_any(
                self._ordered_queues,
                self.dequeue_timeout,
                connection=self.connection,
                job_class=self.job_class,
                serializer=self.serializer,
                death_penalty_class=self.death_penalty_class,
            )
        except DequeueTimeout:
            return
        if dequeued is not None:
            job, queue = dequeued
            if job.origin not in (DRAIN, DELIVER):  # these report their progress more often
                self.pulse.beat((job.timeout or 0) + PROGRESS_TIMEOUT_S)
            job.redis_server_version = self.get_redis_server_version()  # type: ignore[no-untyped-call]
            self.execute_job(job, queue)

    def _finalize_failure(self, job: Any, queue: Any, execution: Any, exc_info: Any) -> None:
        """Leave a job that an outage of Redis interrupted: it is only a wake-up call, and RQ expires it."""
        if isinstance(exc_info[1], RedisError):
            raise exc_info[1]
        super()._finalize_failure(job, queue, execution, exc_info)


class Heartbeat:
    """Writes to Redis, every two seconds from a thread, when this process last made progress, and metrics."""

    def __init__(self, client: "Redis[Any]", name: str, pulse: Pulse, metrics: Metrics | None = None) -> None:
        self._client, self._name, self._pulse = client, name, pulse
        self._metrics = metrics or Metrics()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; the last heartbeat stays."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(HEARTBEAT_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            silent_ms = int(self._pulse.silent_s() * 1000)
            with contextlib.suppress(RedisError):  # the jobs meet the same error, and log it
                self._metrics.pool_used(self._name.partition("-")[0], peak_use(self._client))
                heartbeats.record(
                    self._client, "worker", self._name, silent_ms=silent_ms, metrics=self._metrics
                )
                close_idle(self._client)
            self._stop.wait(HEARTBEAT_S)


def work(container: Container, queue: str) -> None:
    """Do the jobs of ``queue`` until SIGTERM or SIGINT; a running job is finished first."""
    client = container.redis
    pulse = Pulse()
    pulse.report_to_supervisor()
    worker = _create_worker(container, queue, pulse)
    process_runtime = runtime.install(container, stopping=lambda: worker.stopping, progress=pulse.beat)
    stand_in = StandInClock(container, worker.name)
    watch = ConditionWatch(container, on_no_clock=stand_in.begin)
    if queue == DELIVER:
        process_runtime.dispatcher.start()
        worker.is_well = lambda: process_runtime.dispatcher.is_well
        watch.start()

    def prepare() -> None:
        layout.claim(client, container.settings.cells)
        if queue == POLL:
            # Before the process reports that it is ready: later connections are new.
            Baseline(client).mark_started()

    heartbeat = Heartbeat(client, worker.name, pulse, container.metrics)
    listener = Listener(client, wake=process_runtime.dispatcher.wake)

    def begin() -> None:
        heartbeat.start()
        if queue == DELIVER:
            listener.start()

    try:
        worker.listen(prepare, begin)
    except StopRequested:
        _log.debug("a worker ends", extra={"child": worker.name})
    finally:
        watch.stop()
        stand_in.stop()
        listener.stop()
        process_runtime.dispatcher.stop()
        heartbeat.stop()
    try:
        worker.register_death()  # type: ignore[no-untyped-call]
        heartbeats.record(client, "worker", worker.name, metrics=container.metrics)
        heartbeats.remove(client, "worker", worker.name)
    except RedisError as error:
        _log.info("a worker could not remove its heartbeat", extra={"error": repr(error)})


def _create_worker(container: Container, queue: str, pulse: Pulse) -> InProcessWorker:
    worker = InProcessWorker(
        [Queue(queue, connection=container.queue_redis, serializer=JSONSerializer)],
        name=f"{queue}-{socket.gethostname()}-{os.getpid()}",
        connection=container.queue_redis,
        serializer=JSONSerializer,
        worker_ttl=WORKER_TTL_S,
        maintenance_interval=MAINTENANCE_INTERVAL_S,
        log_job_description=False,
        prepare_for_work=False,  # RQ would ask Redis for our address, and Redis may be away
    )
    worker.hostname, worker.pid = socket.gethostname(), os.getpid()
    worker.pulse = pulse
    return worker
