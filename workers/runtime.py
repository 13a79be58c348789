"""What the jobs of one worker process work with: built once, before the first job."""

from collections.abc import Callable
from dataclasses import dataclass

from processor.bootstrap import Container
from processor.codat.asking import Asker
from processor.queues import DRAIN, Bell
from processor.store import upkeep
from processor.store.questions import Questions
from workers.ask import Asking
from workers.drain import Drain


@dataclass(frozen=True, slots=True)
class Runtime:
    """The collaborators of the jobs; ``stopping`` says whether the process was told to end."""

    bell: Bell
    drain: Drain
    asking: Asking
    container: Container
    stopping: Callable[[], bool]

    def ask(self) -> int:
        """Ask what is due, with the flag up meanwhile that keeps others from being woken for it."""
        client = self.container.redis
        upkeep.asking(client, going_on=True)
        try:
            return self.asking.run()
        finally:
            upkeep.asking(client, going_on=False)


_current: Runtime | None = None


def install(container: Container, *, stopping: Callable[[], bool]) -> Runtime:
    """Build the runtime of this process; jobs find it by ``current``."""
    global _current
    _current = build(container, stopping=stopping)
    return _current


def build(container: Container, *, stopping: Callable[[], bool] = lambda: False) -> Runtime:
    """The runtime on the collaborators in ``container``."""
    bell, client = container.bell, container.redis

    def ask_soon() -> None:
        if upkeep.questions_are_due(client, container.clock()):
            bell.ask()

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
        container=container,
        stopping=stopping,
    )


def current() -> Runtime:
    """The runtime of this process. Raises ``RuntimeError`` where none was installed."""
    if _current is None:
        raise RuntimeError("no runtime was installed in this process")
    return _current
