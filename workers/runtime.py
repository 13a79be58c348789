"""The collaborators of the jobs of one worker process, built before the first job."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from processor.codat.client import CodatClient
from processor.codat.questions import QuestionClient
from processor.container import Container
from processor.erasure.erase import CompanyEraser
from processor.journey.platform_cache import OnPremisePlatforms, platform_cache_of
from processor.journey.reminders import Reminders
from processor.journey.wiring import make_journey
from processor.reconciliation import wiring
from processor.reconciliation.first_syncs import FirstSyncs
from processor.reconciliation.missed_webhooks import WebhookMonitor
from processor.store import wakeups
from processor.store.questions import Questions
from processor.store.waker import DRAIN
from workers.codat.questions import QuestionRunner
from workers.delivery.dispatcher import Dispatcher
from workers.delivery.wiring import dispatcher_of
from workers.inbox.drain import LINGER_S, Drain
from workers.reconciliation.maintenance import Maintenance
from workers.reconciliation.poller import Poller


@dataclass(frozen=True, slots=True)
class Runtime:
    """The collaborators of the jobs. ``poller`` is ``None`` where nothing is polled.

    ``stopping`` returns whether the process is to end.
    """

    drain: Drain
    question_runner: QuestionRunner
    dispatcher: Dispatcher
    poller: Poller | None
    maintenance: Maintenance
    container: Container
    stopping: Callable[[], bool]

    def deliver(self) -> int:
        """Wake the dispatcher, or deliver here where its thread does not run; the number of attempts here."""
        wakeups.release_delivery_run(self.container.redis)
        if self.dispatcher.is_running:
            self.dispatcher.wake()
            return 0
        return self.dispatcher.run_once()

    def poll(self) -> int:
        """Poll due companies, and clear the flag that prevents wake-ups; the number of companies."""
        if self.poller is None:
            return 0
        try:
            return self.poller.run()
        finally:
            wakeups.release_poll_run(self.container.redis)

    def ask(self) -> int:
        """Ask due questions, with a flag that prevents wake-ups meanwhile; the number of questions."""
        client = self.container.redis
        wakeups.hold_question_run(client)
        try:
            return self.question_runner.run()
        finally:
            wakeups.release_question_run(client)


_current: Runtime | None = None


def install(
    container: Container, *, stopping: Callable[[], bool], progress: Callable[[], object] = lambda: None
) -> Runtime:
    """Build the runtime that ``current`` returns; drains call ``progress``."""
    global _current
    _current = build(container, stopping=stopping, progress=progress)
    return _current


def build(
    container: Container,
    *,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[], object] = lambda: None,
    linger_s: float = LINGER_S,
) -> Runtime:
    """The runtime with the collaborators of ``container``; a drain waits ``linger_s`` for more messages."""
    waker, client = container.waker, container.redis

    def wake_questions() -> None:
        if wakeups.claim_question_run(client, container.clock()):
            waker.wake_question_runner()

    def wake_another_drain() -> None:
        if not waker.queue_length(DRAIN):
            waker.wake_drain()

    def wake_deliveries() -> None:
        if wakeups.claim_delivery_run(client):
            waker.wake_dispatcher()

    reconciliation = wiring.build_reconciliation(container, stop=stopping)
    return Runtime(
        drain=Drain(
            client,
            policy=container.policy,
            inbox=container.inbox,
            clock=container.clock,
            stop=stopping,
            linger_s=linger_s,
            on_backlog=wake_another_drain,
            on_questions=wake_questions,
            on_notifications=wake_deliveries,
            progress=progress,
            on_premise=OnPremisePlatforms(platform_cache_of(client, container.settings)),
            metrics=container.metrics,
        ),
        question_runner=QuestionRunner(
            questions=Questions(client),
            inbox=container.inbox,
            reader=container.reader,
            waker=waker,
            asker=None if container.codat is None else QuestionClient(container.codat, clock=container.clock),
            clock=container.clock,
            stop=stopping,
        ),
        dispatcher=dispatcher_of(container),
        poller=None
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
        maintenance=Maintenance(
            client,
            codat=reconciliation.codat if reconciliation else None,
            scan=reconciliation.scan if reconciliation else None,
            webhook_monitor=WebhookMonitor(client, settings=container.settings),
            eraser=CompanyEraser(client),
            grace=timedelta(days=container.settings.erase_after_days),
            reminders=Reminders(
                client,
                reader=container.reader,
                waker=waker,
                settings=container.settings,
                read_again=_background_reads(container, reconciliation.codat) if reconciliation else None,
                clock=container.clock,
            ),
            clock=container.clock,
            stop=stopping,
        ),
        container=container,
        stopping=stopping,
    )


def _background_reads(container: Container, codat: CodatClient) -> Callable[[str], None]:
    """Reads as those that a merchant asks for, with the part of the quota that is left to the background."""
    return make_journey(
        container.settings,
        client=container.redis,
        inbox=container.inbox,
        reader=container.reader,
        waker=container.waker,
        codat=codat,
        clock=container.clock,
    ).read_again


def current() -> Runtime:
    """The runtime of this process. Raises ``RuntimeError`` without one."""
    if _current is None:
        raise RuntimeError("no runtime was installed in this process")
    return _current
