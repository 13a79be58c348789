"""What the jobs of one worker process work with: built once, before the first job."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from processor.bootstrap import Container
from processor.codat.asking import Asker
from processor.journey.shelf import OnPremise, shelf_of
from processor.queues import DRAIN, Bell
from processor.store import upkeep
from processor.store.questions import Questions
from processor.truth import assembly
from processor.truth.first_syncs import FirstSyncs
from workers.ask import Asking
from workers.couriers import courier_of
from workers.deliver import Courier
from workers.drain import Drain
from workers.monitor import Monitor
from workers.sweep import Sweep


@dataclass(frozen=True, slots=True)
class Runtime:
    """The collaborators of the jobs; ``stopping`` says whether the process was told to end."""

    bell: Bell
    drain: Drain
    asking: Asking
    courier: Courier
    monitor: Monitor | None
    sweep: Sweep
    container: Container
    stopping: Callable[[], bool]

    def deliver(self) -> int:
        """Let the courier look at the lanes; where it has no thread of its own, carry out what is due."""
        upkeep.delivering_begins(self.container.redis)
        if self.courier.running:
            self.courier.wake()
            return 0
        return self.courier.run_once()

    def look(self) -> int:
        """Look at the companies that are due, with the flag up that keeps others from being woken for it."""
        if self.monitor is None:
            return 0
        try:
            return self.monitor.run()
        finally:
            upkeep.looking_ended(self.container.redis)

    def ask(self) -> int:
        """Ask what is due, with the flag up meanwhile that keeps others from being woken for it."""
        client = self.container.redis
        upkeep.asking(client, going_on=True)
        try:
            return self.asking.run()
        finally:
            upkeep.asking(client, going_on=False)


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
    bell, client = container.bell, container.redis

    def ask_soon() -> None:
        if upkeep.questions_are_due(client, container.clock()):
            bell.ask()

    def deliver_soon() -> None:
        if upkeep.deliver_soon(client):
            bell.deliver()

    polling = assembly.polling(container, stop=stopping)
    return Runtime(
        bell=bell,
        drain=Drain(
            client,
            policy=container.policy,
            shards=container.settings.inbox_shards,
            clock=container.clock,
            stop=stopping,
            yield_to=lambda: bell.waiting(DRAIN) > 0,
            on_questions=ask_soon,
            on_notifications=deliver_soon,
            progress=progress,
            on_premise=OnPremise(shelf_of(client, container.settings)),
            stream_length=container.settings.stream_length,
        ),
        asking=Asking(
            questions=Questions(client),
            inbox=container.inbox,
            reader=container.reader,
            bell=bell,
            asker=None if container.codat is None else Asker(container.codat, clock=container.clock),
            clock=container.clock,
            stop=stopping,
        ),
        courier=courier_of(container),
        monitor=None
        if polling is None
        else Monitor(
            client,
            reader=container.reader,
            looker=polling.looker,
            putter=polling.putter,
            every=polling.every,
            first_syncs=FirstSyncs(client, polling.codat) if container.settings.start_first_sync else None,
            clock=container.clock,
            stop=stopping,
        ),
        sweep=Sweep(
            client,
            codat=polling.codat if polling else None,
            walk=polling.walk if polling else None,
            silence=assembly.silence(container),
            erasure=assembly.erasure(container),
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
