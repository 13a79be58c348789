"""Clocks that are wrong: one that steps under load, and two machines that do not agree."""

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.reliability import fault_points
from tests.reliability.outside import API_KEY, RATE, USUAL_REFUSALS, Client, judge, traffic
from tests.reliability.report import Chapter, times
from tests.support import messages
from tests.support.engines import own_engine
from tests.support.service import Service, until

HOUR_S = 3600
APART_S = 300
"""How far the clocks of two machines differ; each is off by half of it, one ahead and one behind."""

STEP_REFUSALS = USUAL_REFUSALS | {401}
"""While a clock is off by an hour, signatures are too old or too new."""


def steps(lasting_s: float, *, rate: float = RATE) -> Chapter:
    """The clock of the service steps by an hour ahead, and back, then behind, and back."""
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="codat-") as folder:
        clock = Path(folder) / "clock"
        clock.write_text("0")
        environ = fault_points.clock_environ(clock)
        with traffic(rate, STEP_REFUSALS, **environ) as (service, sent, subscriber):
            caller = Client(service, refusals=STEP_REFUSALS)
            for step_s in (HOUR_S, -HOUR_S):
                sent.go_on()
                clock.write_text(str(step_s))
                time.sleep(lasting_s)  # how long the clock is wrong
                clock.write_text("0")
                seconds[f"{step_s:+} s"] = [_recovery_s(caller, f"after-{step_s}")]
                sent.others.append(f"after-{step_s}")
            sent.go_on()
            caller.close()
            sent.stop()
            faults = judge(service, sent, subscriber)
    body = [
        f"The clock of all processes but the engine stepped for {lasting_s:g} s and back. Signatures are "
        f"refused while it is wrong. {len(sent.accepted):,} messages were accepted, {sent.repeated:,} of "
        "them sent again. Seconds from the end until a message is handled:",
        "",
        *times("step", list(seconds.items())),
    ]
    return Chapter("a clock that steps", faults, body)


def apart(rounds: int, *, rate: float = RATE) -> Chapter:
    """Two machines share an engine; the drains of each are killed in turn, so that the other goes on."""
    with (
        tempfile.TemporaryDirectory(prefix="codat-") as folder,
        own_engine(Path(folder) / "engine") as url,
    ):
        clocks = [Path(folder) / name for name in ("behind", "ahead")]
        for clock in clocks:
            clock.write_text("0")  # a service that starts with a wrong clock warns
        behind, ahead = (fault_points.clock_environ(clock) for clock in clocks)
        shared = {"REDIS_URL": url, "API_KEYS": API_KEY, "ALLOW_PRIVATE_SUBSCRIBERS": "true"}
        (Path(folder) / "other").mkdir()
        other = Service(Path(folder) / "other", LOG_LEVEL="WARNING", **shared, **ahead)
        with traffic(rate, **behind, REDIS_URL=url) as (service, sent, subscriber), other:
            for clock, off_s in zip(clocks, (-APART_S / 2, APART_S / 2), strict=True):
                clock.write_text(str(off_s))
            for turn in range(rounds):
                for machine in (service, other):
                    sent.go_on()
                    caller = Client(machine)
                    event_id = f"apart-{turn}-{machine.port}"
                    caller.post(
                        event_id, messages.connected(f"company-{turn}", event_id, at=datetime.now(UTC))
                    )
                    machine.kill(*machine.working())
                    until(lambda: caller.is_handled(event_id), poll_s=0.05)  # noqa: B023 - called at once
                    sent.others.append(event_id)
                    caller.close()
            sent.stop()
            faults = judge(service, sent, subscriber)
    body = [
        f"The clocks of two machines on one engine were {APART_S} s apart, one behind and one ahead of "
        f"Codat's. The drains of each were killed {rounds} times in turn. "
        f"{len(sent.accepted):,} messages were accepted.",
    ]
    return Chapter("two machines whose clocks differ", faults, body)


def _recovery_s(caller: Client, event_id: str) -> float:
    began = time.monotonic()
    caller.post(event_id, messages.connected("company-after", event_id, at=datetime.now(UTC)))
    until(lambda: caller.is_handled(event_id), poll_s=0.05)
    return time.monotonic() - began
