"""What the jobs of one worker process work with: built once, before the first job."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from processor.codat.questions import QuestionClient
from processor.container import Container
from processor.erasure.erase import CompanyEraser
from processor.journey.platform_cache import OnPremise, shelf_of
from processor.reconciliation import wiring
from processor.reconciliation.first_syncs import FirstSyncs
from processor.reconciliation.missed_webhooks import WebhookMonitor
from processor.store import wakeups
from processor.store.questions import Questions
from processor.store.waker import DRAIN, Waker
from workers.codat.questions import QuestionRunner
from workers.delivery.dispatcher import Dispatcher
from workers.delivery.wiring import dispatcher_of
from workers.inbox.drain import Drain
from workers.reconciliation.maintenance import Maintenance
from workers.reconciliation.poller import Poller


@dataclass(frozen=True, slots=True)
class Runtime:
    """The collaborators of the jobs; ``stopping`` says whether the process was told to end."""

    waker: Waker
    drain: Drain
    asking: QuestionRunner
    dispatcher: Dispatcher
    monitor: Poller | None
    sweep: Maintenance
    container: Container
    stopping: Callable[[], bool]

    def deliver(self) -> int:
        """Let the courier look at the lanes; where it has no thread of its own, carry out what is due."""
        wakeups.release_delivery_run(self.container.redis)
        if self.dispatcher.running:
            self.dispatcher.wake()
            return 0
        return self.dispatcher.run_once()

    def look(self) -> int:
        """Look at the companies that are due, with the flag up that keeps others from being woken for it."""
        if self.monitor is None:
            return 0
        try:
            return self.monitor.run()
        finally:
            wakeups.release_poll_run(self.container.redis)

    def ask(self) -> int:
        """Ask what is due, with the flag up meanwhile that keeps others from being woken for it."""
        client = self.container.redis
        wakeups.hold_question_run(client)
        try:
            return self.asking.run()
        finally:
            wakeups.release_question_run(client)


_current: Runtime | None = None


def install(
    container: Container, *, stopping: Callable[[], bool], progress: Callable[[], object] = lambda: None
) -> Runtime:
    """Build the runtime of this process, which jobs find by ``current``; drains call ``progress``."""
    global _current
    _current = build(container, stopping=stopping, progress=progress)
    return _current


def build(
    container: Container,
    *,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[], object] = lambda: None,
) -> Runtime:
    """The runtime on the collaborators in ``container``."""
    waker, client = container.waker, container.redis

    def ask_soon() -> None:
        if wakeups.claim_question_run(client, container.clock()):
            waker.wake_question_runner()

    def deliver_soon() -> None:
        if wakeups.claim_delivery_run(client):
            waker.wake_dispatcher()

    reconciliation = wiring.build_reconciliation(container, stop=stopping)
    return Runtime(
        waker=waker,
        drain=Drain(
            client,
            policy=container.policy,
            shards=container.settings.inbox_shards,
            clock=container.clock,
            stop=stopping,
            yield_to=lambda: waker.queue_length(DRAIN) > 0,
            on_questions=ask_soon,
            on_notifications=deliver_soon,
            progress=progress,
            on_premise=OnPremise(shelf_of(client, container.settings)),
            stream_length=container.settings.stream_length,
        ),
        asking=QuestionRunner(
            questions=Questions(client),
            inbox=container.inbox,
            reader=container.reader,
            waker=waker,
            asker=None if container.codat is None else QuestionClient(container.codat, clock=container.clock),
            clock=container.clock,
            stop=stopping,
        ),
        dispatcher=dispatcher_of(container),
        monitor=None
        if reconciliation is None
        else Poller(
            client,
            reader=container.reader,
            comparer=reconciliation.comparer,
            enqueuer=reconciliation.enqueuer,
            interval=reconciliation.interval,
            first_syncs=FirstSyncs(client, reconciliation.codat)
            if container.settings.start_first_sync
            else None,
            clock=container.clock,
            stop=stopping,
        ),
        sweep=Maintenance(
            client,
            codat=reconciliation.codat if reconciliation else None,
            scan=reconciliation.scan if reconciliation else None,
            webhook_monitor=WebhookMonitor(client, settings=container.settings),
            eraser=CompanyEraser(client, shards=container.settings.inbox_shards),
            grace=timedelta(days=container.settings.erase_after_days),
            clock=container.clock,
            stop=stopping,
        ),
        container=container,
        stopping=stopping,
    )


def current() -> Runtime:
    """The runtime of this process. Raises ``RuntimeError`` where none was installed."""
    if _current is None:
        raise RuntimeError("no runtime was installed in this process")
    return _current
