"""True histories of companies at a simulated Codat, drawn by Hypothesis, and the messages that tell them."""

import dataclasses
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from processor.simulator import SimulatorServer
from processor.simulator.config import Generation
from processor.simulator.messages import Message
from tests.handlers.support.codat_history import Change, Did, Truth, truth_of
from tests.handlers.support.sampled_history import WIDE_GAPS_S, sampled_history
from tests.handlers.support.tape import Tape

TAPE_BYTES = 192
AGES_S = (1.0, 90.0, 900.0, 7_000.0, 300_000.0)
"""How long ago the last change of a history was; what is older than an hour waits among the replays."""

LAG_S = 8.0
"""How old the statuses are that Codat's API shows."""

_NAMES = {
    Did.FAILED: "fail",
    Did.LINKED: "authorize",
    Did.RELINKED: "reauthorize",
    Did.READ_ALL: "complete-sync",
    Did.READ_SOME: "complete-sync",
    Did.READ_NONE: "complete-sync",
    Did.READ_MORE: "read",
    Did.UNLINKED: "unlink",
    Did.DEAUTHORIZED: "deauthorize",
}


@dataclass(slots=True)
class Life:
    """The history of one connection, and what was sent of it."""

    tape: Tape
    changes: list[Change]
    company_id: str = ""
    connection_id: str = ""
    told: list[Message] = field(default_factory=list)
    """What Codat has to tell, in order, in both generations."""

    loses: bool = False
    is_never_shown: bool = False
    """The company was deleted before the service could ask about it: to Codat's API it is an unknown one."""

    delivered: dict[str, Message] = field(default_factory=dict)

    @property
    def truth(self) -> Truth:
        """What holds at the end."""
        return truth_of(self.changes)

    def story(self, rows: Sequence[dict[str, Any]], timeline: Sequence[dict[str, Any]]) -> str:
        """What happened, for a report of a fault."""
        lines = [f"{self.connection_id}{', with losses' if self.loses else ''}"]
        lines += [f"  {change.at} {change.did} {dict(change.types) or ''}" for change in self.changes]
        lines += [f"  told {row['type']} of {row['data']['occurred_at']}" for row in rows]
        lines += [
            f"  {row['known_at']} {row['event_type']} of {row['at']}: {row['from']} → {row['to']}, "
            f"{row['outcome']}: {row['reason']}"
            for row in reversed(timeline)
        ]
        return "\n".join(lines)


def tapes(count: int, number: int) -> list[bytes]:
    """So many tapes from Hypothesis; the same ones for the same seed."""
    drawn: list[bytes] = []

    def draw(raw: bytes) -> None:
        drawn.append(raw)

    run = given(st.binary(min_size=TAPE_BYTES, max_size=TAPE_BYTES))(draw)
    run = settings(
        max_examples=count,
        deadline=None,
        derandomize=False,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )(run)
    seed(number)(run)()
    return drawn


class SetClock:
    """The time of ``moment`` where it is set, else the real one."""

    moment: float | None = None

    def __call__(self) -> float:
        return time.time() if self.moment is None else self.moment


class Codat:
    """A simulated Codat whose clock stands at the change that happens, and is right afterwards."""

    def __init__(self, server: SimulatorServer) -> None:
        self.server = server
        self._captured: list[Message] = []
        server.simulation.set_generations([Generation.CURRENT, Generation.LEGACY])
        vars(server.simulation.delivery)["submit"] = self._captured.extend  # sent by us, in disorder

    def live(self, lives: Sequence[Life], clock: SetClock) -> None:
        """Let all histories happen, change by change in the order of their times."""
        order = sorted(
            (change.at, number, position)
            for number, life in enumerate(lives)
            for position, change in enumerate(life.changes)
        )
        for moment, number, position in order:
            clock.moment = moment.timestamp()
            life = lives[number]
            if not life.company_id:
                self._begin(life, keeps=life.changes[0].did is Did.CREATED)
            change = life.changes[position]
            if change.did is not Did.CREATED:
                self._change(life, change)
            life.told += self._captured
            self._captured.clear()
        clock.moment = None
        self.server.simulation.faults.plan({"lag_s": LAG_S})

    def _begin(self, life: Life, *, keeps: bool) -> None:
        """Create company and connection; nothing tells of one that is older than the service."""
        world = self.server.simulation.world
        life.company_id = world.create_company("Toft stores").id
        life.connection_id = world.create_connection(life.company_id, "gbol").id
        if not keeps:
            self._captured.clear()

    def _change(self, life: Life, change: Change) -> None:
        simulation = self.server.simulation
        if change.did is not Did.DELETED:
            options: dict[str, object] = {"auto_sync": False}
            if change.types:
                options["outcomes"] = dict(change.types)
            simulation.change(life.connection_id, _NAMES[change.did], options)
        elif life.tape.once_in(4):
            simulation.world.delete_company(life.company_id)
            life.is_never_shown = True
        else:
            simulation.change(life.connection_id, "delete", {})


def lives_of(drawn: Sequence[bytes]) -> Iterator[Life]:
    """A history for each tape, whose last change was some time ago."""
    now = datetime.now(UTC)
    for raw in drawn:
        tape = Tape(raw)
        changes = sampled_history(tape, gaps_s=WIDE_GAPS_S)
        shift = now - timedelta(seconds=tape.choice(AGES_S)) - changes[-1].at
        yield Life(tape, [dataclasses.replace(change, at=change.at + shift) for change in changes])


def posts_of(life: Life, *, alerts: bool) -> Iterator[tuple[bool, Message]]:
    """What is sent of a history: lost, doubled, and replayed under another id; whether it comes late.

    ``alerts``: some histories are told in the legacy generation too.
    """
    tape = life.tape
    life.loses = tape.once_in(3)
    has_alerts = tape.once_in(2) and alerts
    for message in life.told:
        if message.generation is Generation.LEGACY and not has_alerts:
            continue
        if life.loses and tape.once_in(3):
            continue
        yield tape.once_in(5), message
        if tape.once_in(3):
            yield not tape.once_in(3), message
        if message.generation is Generation.CURRENT and tape.once_in(4):
            yield not tape.once_in(3), dataclasses.replace(message, webhook_id=f"{message.webhook_id}-again")


def id_of(message: Message) -> str:
    """The id under which the service keeps a message."""
    is_legacy = message.generation is Generation.LEGACY
    return f"sha256-{sha256(message.body).hexdigest()}" if is_legacy else message.webhook_id


def names_connection(message: Message) -> bool:
    """Whether a message says which connection it is about."""
    is_legacy = message.generation is Generation.LEGACY
    return b'"DataConnectionId"' in message.body if is_legacy else message.connection_id is not None
