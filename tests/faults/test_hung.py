"""Processes that hang: noticed, killed and started again; a machine that stood still kills nobody."""

import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from processor.runtime.watchdog import HUNG_AFTER_S
from tests.support.service import DRAINING, Sender, Service, is_alive, is_done, messages_of, until

pytestmark = pytest.mark.timeout(600)

HANGS = "Process hangs and is killed"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """One service for both tests."""
    with tempfile.TemporaryDirectory(prefix="codat-") as folder, Service(Path(folder)) as running:
        yield running


def test_drains_that_hang_are_started_again_and_what_waited_is_handled(service: Service) -> None:
    """Hung drains were invisible for 80 s, and nobody restarted them."""
    hung = service.working()
    service.kill(*hung, number=signal.SIGSTOP)
    bodies = messages_of(20, prefix="hung")
    Sender(service).send(bodies)

    until(lambda: is_done(service, list(bodies)))
    until(lambda: len(service.working()) == DRAINING)

    assert service.log.count(HANGS) >= DRAINING
    assert not any(map(is_alive, hung))


def test_a_machine_that_stood_still_kills_nobody(service: Service) -> None:
    """Whoever runs first after a pause of the whole machine finds everybody else silent."""
    killed_before = service.log.count(HANGS)
    everybody = service.everybody()
    service.kill(*everybody, number=signal.SIGSTOP)
    time.sleep(1.2 * HUNG_AFTER_S)  # the pause itself, not a wait for something
    service.kill(*everybody, number=signal.SIGCONT)
    bodies = messages_of(20, prefix="still")
    Sender(service).send(bodies)
    until(lambda: is_done(service, list(bodies)))

    assert service.log.count(HANGS) == killed_before
    assert service.everybody() == everybody
