"""Queue names, time-outs and retry schedules in one table, and the waking of workers.

An RQ job here is a wake-up call and never the truth: what is to be done stands in
Redis before a job is enqueued, and the clock wakes again what a lost job forgot.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from redis import Redis, RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from processor.store.connection_errors import connection_error_reason

_log = logging.getLogger(__name__)

DRAIN = "drain"
ASK = "ask"
DELIVER = "deliver"
POLL = "poll"
QUEUES = (DRAIN, ASK, DELIVER, POLL)
"""Each worker process listens to exactly one queue: RQ loses jobs of those that listen to two."""

HANDLING_RETRIES = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 5 * 60, 30 * 60, 2 * 3600, 6 * 3600)
)
"""When an event whose handling raised is tried again; after the last it is a dead letter."""

JOB_TIMEOUT_S = 60
RESULT_TTL_S = 10
FAILURE_TTL_S = 3600


@dataclass(frozen=True, slots=True)
class Job:
    """One kind of job: its queue, the function that RQ calls, and how long it may take in seconds."""

    queue: str
    function: str
    timeout_s: int = JOB_TIMEOUT_S


DRAIN_SHARD = Job(DRAIN, "workers.jobs.drain")
ASK_CODAT = Job(ASK, "workers.jobs.ask", timeout_s=300)
DELIVER_DUE = Job(DELIVER, "workers.jobs.deliver")
SEND_LINK = Job(DELIVER, "workers.jobs.send_link", timeout_s=900)
LOOK_AT_COMPANIES = Job(POLL, "workers.jobs.look", timeout_s=300)
SWEEP_COMPANIES = Job(POLL, "workers.jobs.sweep", timeout_s=1800)


class Waker:
    """Wakes workers. A bell that cannot ring is harmless: the clock notices within seconds."""

    def __init__(self, client: "Redis[Any]") -> None:
        self._queues = {
            name: Queue(name, connection=client, serializer=JSONSerializer, default_timeout=JOB_TIMEOUT_S)
            for name in QUEUES
        }
        self._failing = False

    def wake_shard(self, shard: int) -> None:
        """Have the shard drained."""
        self._ring(DRAIN_SHARD, shard)

    def wake_question_runner(self) -> None:
        """Have the questions that are due put to Codat."""
        self._ring(ASK_CODAT)

    def wake_dispatcher(self) -> None:
        """Have the lanes looked at; what is due in them is delivered."""
        self._ring(DELIVER_DUE)

    def wake_link_sender(self, company_id: str) -> None:
        """Have a fresh link mailed to the company's contact. Where the call is lost, people ask again."""
        self._ring(SEND_LINK, company_id)

    def wake_poller(self) -> None:
        """Have the companies looked at that are due."""
        self._ring(LOOK_AT_COMPANIES)

    def wake_maintenance(self) -> None:
        """Have the errands of the sweep run that are due."""
        self._ring(SWEEP_COMPANIES)

    def queue_length(self, queue: str) -> int:
        """How many wake-up calls of this queue nobody answered yet."""
        return int(self._queues[queue].count)

    def _ring(self, job: Job, *args: int | str) -> None:
        try:
            self._queues[job.queue].enqueue_call(
                job.function,
                args=args,
                timeout=job.timeout_s,
                result_ttl=RESULT_TTL_S,
                failure_ttl=FAILURE_TTL_S,
            )
        except RedisError as error:
            if not self._failing:  # one line an outage
                reason = connection_error_reason(error) or type(error).__name__
                extra = {"job": job.function, "reason": reason}
                _log.warning("a worker could not be woken; the clock will", extra=extra)
            self._failing = True
        else:
            self._failing = False
