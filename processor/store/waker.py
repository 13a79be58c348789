"""Queue names, timeouts and retry schedules in one table, and the wake-up calls to workers.

An RQ job is a wake-up call and carries no state: the work is stored in Redis before a job is enqueued, and
the clock process repeats a lost wake-up call.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from redis import Redis, RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from processor.store.connection_errors import connection_error_reason
from processor.store.metrics import Metrics

_log = logging.getLogger(__name__)

DRAIN = "drain"
ASK = "ask"
DELIVER = "deliver"
POLL = "poll"
QUEUES = (DRAIN, ASK, DELIVER, POLL)
"""Each worker process listens to one queue: RQ loses jobs of a worker that listens to two."""

HANDLING_RETRIES = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 5 * 60, 30 * 60, 2 * 3600, 6 * 3600)
)
"""Delays between attempts to handle an event; after the last one it is a dead letter."""

MAX_WAITING_DRAINS = 16
"""More calls are of no use, since a drain serves every free cell; without a worker they would fill Redis."""

JOB_TIMEOUT_S = 60
RESULT_TTL_S = 10
FAILURE_TTL_S = 3600


@dataclass(frozen=True, slots=True)
class Job:
    """One kind of job: its queue, the function that RQ calls, and its time limit."""

    queue: str
    function: str
    timeout_s: int = JOB_TIMEOUT_S


DRAIN_CELLS = Job(DRAIN, "workers.jobs.drain")
ASK_CODAT = Job(ASK, "workers.jobs.ask", timeout_s=300)
DELIVER_DUE = Job(DELIVER, "workers.jobs.deliver")
SEND_LINK = Job(DELIVER, "workers.jobs.send_link", timeout_s=900)
LOOK_AT_COMPANIES = Job(POLL, "workers.jobs.look", timeout_s=300)
SWEEP_COMPANIES = Job(POLL, "workers.jobs.sweep", timeout_s=1800)


class Waker:
    """Enqueues wake-up calls. A failed call is harmless: the clock process repeats it within seconds."""

    def __init__(self, client: "Redis[Any]", metrics: Metrics | None = None) -> None:
        self._metrics = metrics or Metrics()
        self._queues = {
            name: Queue(name, connection=client, serializer=JSONSerializer, default_timeout=JOB_TIMEOUT_S)
            for name in QUEUES
        }
        self._failing = False

    def wake_drain(self) -> None:
        """Request a drain of the cells that no drain serves."""
        self._enqueue(DRAIN_CELLS)

    def wake_question_runner(self) -> None:
        """Request a run that asks Codat the due questions."""
        self._enqueue(ASK_CODAT)

    def wake_dispatcher(self) -> None:
        """Request a run that sends due deliveries."""
        self._enqueue(DELIVER_DUE)

    def wake_link_sender(self, company_id: str, holder: str, generation: int) -> None:
        """Request an e-mail with a fresh link to a person, or the contact, in place of one of ``generation``.

        A lost call is not repeated.
        """
        self._enqueue(SEND_LINK, company_id, holder, generation)

    def wake_poller(self) -> None:
        """Request a run that polls due companies."""
        self._enqueue(LOOK_AT_COMPANIES)

    def wake_maintenance(self) -> None:
        """Request a run of due maintenance tasks."""
        self._enqueue(SWEEP_COMPANIES)

    def wake_all(self) -> None:
        """Request a run of everything, for an operator: harmless where nothing waits."""
        self.wake_drain()
        self.wake_question_runner()
        self.wake_dispatcher()
        self.wake_poller()
        self.wake_maintenance()

    def queue_length(self, queue: str) -> int:
        """Number of wake-up calls in this queue; 0 if its server, which may be RQ's own, does not answer."""
        try:
            return int(self._queues[queue].count)
        except RedisError:
            return 0

    def _enqueue(self, job: Job, *args: int | str) -> None:
        queue = self._queues[job.queue]
        try:
            if job == DRAIN_CELLS and queue.count >= MAX_WAITING_DRAINS:
                return
            queue.enqueue_call(
                job.function,
                args=args,
                timeout=job.timeout_s,
                result_ttl=RESULT_TTL_S,
                failure_ttl=FAILURE_TTL_S,
            )
        except RedisError as error:
            if not self._failing:  # one line per outage
                reason = connection_error_reason(error) or type(error).__name__
                extra = {"job": job.function, "reason": reason}
                _log.warning("a worker could not be woken; the clock will", extra=extra)
            self._failing = True
        else:
            self._failing = False
            self._metrics.woke(job.queue)
