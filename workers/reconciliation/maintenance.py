"""Periodic tasks: scans of Codat's list, checks of the consumer and of messages, reminders, erasures."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from redis import Redis, RedisError
from rq.timeouts import BaseTimeoutException

from processor.clock import to_ms
from processor.codat.client import CodatClient
from processor.erasure.erase import CompanyEraser
from processor.errors import CodatError, CodatRateLimited
from processor.journey.reminders import Reminders
from processor.reconciliation.baseline import Baseline
from processor.reconciliation.listing_scan import ListingScan
from processor.reconciliation.missed_webhooks import WebhookMonitor
from processor.store import codat_calls, keys

_log = logging.getLogger(__name__)

SCAN_INTERVAL = timedelta(hours=1)
FIRST_SCAN_DELAY = timedelta(minutes=1)
PROBE_INTERVAL = timedelta(seconds=45)
MAX_IDLE = timedelta(minutes=10)
"""After this time without a call to Codat the probe makes one, to see that Codat answers."""

CONSUMER_INTERVAL = timedelta(minutes=30)
SHORT_INTERVAL = timedelta(minutes=1)
RETRY_DELAY = timedelta(minutes=5)
"""How long a task waits after a failure."""


class Task(NamedTuple):
    """A periodic task; ``first_delay`` is the delay of its first run in a new store."""

    run: Callable[[], object]
    interval: timedelta
    first_delay: timedelta = timedelta()


class Maintenance:
    """Runs the tasks that are due. ``codat`` and ``scan`` are ``None`` without an API key."""

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        codat: CodatClient | None,
        scan: ListingScan | None,
        webhook_monitor: WebhookMonitor,
        eraser: CompanyEraser,
        grace: timedelta,
        reminders: Reminders,
        clock: Callable[[], datetime],
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._client, self._clock, self._stop = client, clock, stop
        self._baseline = Baseline(client, clock=clock)
        self._tasks = {
            "erase": Task(lambda: self._erase_deleted(eraser, grace), SHORT_INTERVAL),
            "judge": Task(lambda: webhook_monitor.check_messages(clock()), SHORT_INTERVAL),
        }
        if codat is not None and scan is not None:
            self._tasks["consumers"] = Task(
                lambda: webhook_monitor.check_consumers(codat.list_webhooks(), clock()), CONSUMER_INTERVAL
            )
            self._tasks["walk"] = Task(scan.run, SCAN_INTERVAL, FIRST_SCAN_DELAY)
            self._tasks["probe"] = Task(lambda: self._probe(codat), PROBE_INTERVAL)
        # The last, because reads that are due may be many, and each waits for Codat.
        self._tasks["remind"] = Task(lambda: reminders.run(stop), SHORT_INTERVAL)

    def run(self) -> int:
        """Run each task that is due; the number of tasks that were run."""
        count = 0
        self._baseline.mark_started()
        due_ms = self._due_ms()
        for name, task in self._tasks.items():
            if not self._stop() and due_ms[name] <= to_ms(self._clock()):
                count += 1
                self._run(name, task)
        return count

    def _due_ms(self) -> dict[str, int]:
        """When each task is due; one that is new here is due after its first delay, a damaged time now."""
        fields = {name: f"{name}_ms" for name in self._tasks}
        stored = self._client.hmget(keys.sweep(), list(fields.values()))
        result = {
            name: int(at_ms) if len(at_ms) < 20 and at_ms.isdigit() else 0
            for name, at_ms in zip(fields, stored, strict=True)
            if at_ms is not None
        }
        for name in fields.keys() - result.keys():
            result[name] = to_ms(self._clock() + self._tasks[name].first_delay)
            self._client.hsetnx(keys.sweep(), fields[name], result[name])
        return result

    def _run(self, name: str, task: Task) -> None:
        delay = task.interval
        try:
            task.run()
        except CodatError as error:
            wait_s = error.retry_after_s if isinstance(error, CodatRateLimited) else 0
            delay = min(task.interval, max(RETRY_DELAY, timedelta(seconds=wait_s)))
            _log.warning(
                "a maintenance task was not finished",
                extra={"task": name, "error": type(error).__name__, "correlation_id": error.correlation_id},
            )
        except (RedisError, BaseTimeoutException):
            raise
        except Exception:  # the failure of one task must not stop the others
            delay = min(task.interval, RETRY_DELAY)
            _log.exception("a maintenance task raised", extra={"task": name})
        finally:
            self._client.hset(keys.sweep(), f"{name}_ms", to_ms(self._clock() + delay))

    def _erase_deleted(self, eraser: CompanyEraser, grace: timedelta) -> None:
        """Erase the companies that were deleted longer than ``grace`` ago."""
        erased = 0
        for company_id in eraser.due_companies(self._clock(), grace):
            if self._stop():
                break
            records = eraser.erase(company_id, self._clock())
            erased += 1
            _log.info("a deleted company was erased", extra={"kept": records.counts})
        if erased:
            eraser.rewrite_append_only_file()

    def _probe(self, codat: CodatClient) -> None:
        """Call Codat if calls fail, or none was made for long, so that an outage and its end are noticed."""
        calls = codat_calls.read(self._client)
        is_failing = calls.failing_since or calls.refused_since or calls.limited_since
        interval = PROBE_INTERVAL if is_failing else MAX_IDLE
        if calls.called_at is None or self._clock() - calls.called_at >= interval:
            codat.ping()
