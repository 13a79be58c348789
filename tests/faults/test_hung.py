"""Processes that hang: noticed, killed and started again; a machine that stood still kills nobody."""

import signal
import time

import pytest

from processor.runtime.watchdog import HUNG_AFTER_S
from tests.support.service import DRAINING, Sender, is_alive, is_done, messages_of, until

pytestmark = pytest.mark.timeout(600)

HANGS = "Process hangs and is killed"


def test_drains_that_hang_are_started_again_and_what_waited_is_handled(service) -> None:
    """Hung drains were invisible for 80 s, and nobody restarted them."""
    hung = service.working()
    service.kill(*hung, number=signal.SIGSTOP)
    bodies = messages_of(20)
    Sender(service).send(bodies)

    until(lambda: is_done(service, list(bodies)))

    assert service.log.count(HANGS) >= DRAINING
    assert not any(map(is_alive, hung))


def test_a_machine_that_stood_still_kills_nobody(service) -> None:
    """Whoever runs first after a pause of the whole machine finds everybody else silent."""
    everybody = service.everybody()
    service.kill(*everybody, number=signal.SIGSTOP)
    time.sleep(1.2 * HUNG_AFTER_S)  # the pause itself, not a wait for something
    service.kill(*everybody, number=signal.SIGCONT)
    bodies = messages_of(20)
    Sender(service).send(bodies)
    until(lambda: is_done(service, list(bodies)))

    assert HANGS not in service.log
    assert service.everybody() == everybody
