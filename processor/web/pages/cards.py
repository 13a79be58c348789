"""Connections as the pages show them: one card each, made from the public representation. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from handlers.connection import Connection
from handlers.events import LinkStatus
from handlers.facts import COMPLETE, FAILED_STATUSES, Kind
from handlers.notices import Notice
from handlers.situation import LINKED, State, is_running
from processor.journey import ConnectionView, Platform
from processor.web.pages import words
from processor.web.pages.words import Sentence

IN_MOTION = frozenset({State.PENDING, State.AUTHORIZED, State.SYNCING, State.AUTHORIZATION_FAILED})
"""The states that somebody who looks at the page expects to change soon."""

UNNAMED = "your platform"

STEPS = ("Waiting for you", "Access given", "Reading your data", "Ready")
_STEP_OF: Mapping[State, int] = {
    State.PENDING: 0,
    State.AUTHORIZATION_FAILED: 0,
    State.AUTHORIZED: 1,
    State.SYNCING: 2,
    State.SYNC_FAILED: 2,
    State.READY: 3,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way; ``stands`` is ``done``, ``now``, ``failed`` or ``ahead``."""

    label: str
    stands: str


@dataclass(frozen=True, slots=True)
class Reading:
    """How reading one data type stands; ``tone`` is ``good``, ``bad``, ``wait`` or ``calm``."""

    label: str
    says: str
    tone: str
    progress: int


@dataclass(frozen=True, slots=True)
class Card:
    """One connection. Times are ISO 8601 in UTC; ``None``: not known, or never."""

    id: str
    name: str
    platform_key: str | None
    group: str
    logo_url: str | None
    state: State
    words: Sentence
    progress: int
    readings: tuple[Reading, ...]
    error: str | None
    authorized_at: str | None

    @property
    def is_linked(self) -> bool:
        """Whether access is given now."""
        return self.state in LINKED

    @property
    def is_in_motion(self) -> bool:
        """Whether it is worth asking Codat while somebody looks."""
        return self.state in IN_MOTION

    @property
    def is_reading(self) -> bool:
        """Whether a bar of progress makes sense."""
        return self.state in (State.AUTHORIZED, State.SYNCING)

    @property
    def is_connected_in_part(self) -> bool:
        """Whether it is ready although some of the data could not be read."""
        return self.state is State.READY and any(one.tone == "bad" for one in self.readings)

    @property
    def initials(self) -> str:
        """What stands in for a logo."""
        return "".join(word[0] for word in self.name.split()[:2]).upper()

    @property
    def steps(self) -> tuple[Step, ...]:
        """The way to "ready"; none where access has ended."""
        if self.state not in _STEP_OF:
            return ()
        here = _STEP_OF[self.state]
        failed = self.words.tone == "bad"
        arrived = self.state is State.READY

        def stands(number: int) -> str:
            if number < here or arrived:
                return "done"
            return "ahead" if number > here else "failed" if failed else "now"

        return tuple(Step(label, stands(number)) for number, label in enumerate(STEPS))


@dataclass(frozen=True, slots=True)
class Dates:
    """When access was first given and when data was last read well; ``None``: never, or not known."""

    first_authorized: datetime | None
    last_sync: datetime | None


def card(view: ConnectionView, platforms: Mapping[str, Platform], *, just_back: bool = False) -> Card:
    """The card of a connection; ``platforms`` by key gives the logo and the full name."""
    platform = platforms.get(view["platform_key"] or "")
    name = view["platform_name"] or (platform.name if platform else UNNAMED)
    state = State(view["state"])
    error = view["error"]
    return Card(
        id=view["id"],
        name=name,
        platform_key=view["platform_key"],
        group=words.group_of(view["source_type"]),
        logo_url=logo_of(platform),
        state=state,
        words=words.of_state(state, name, just_back=just_back),
        progress=view["progress"],
        readings=tuple(_reading(kind, name) for kind in view["data_types"] if kind["current"]),
        error=(error["message"] or error["status_text"])
        if error and _tells(state) and not just_back
        else None,
        authorized_at=view["authorized_at"],
    )


def logo_of(platform: Platform | None) -> str | None:
    """The square logo where there is one, for it fits a tile, otherwise the full one."""
    return None if platform is None else platform.square_logo_url or platform.logo_url


def in_order(cards: Sequence[Card]) -> list[Card]:
    """Those that want something of the user first, then the rest, each newest first as given."""
    return sorted(cards, key=lambda one: one.words.tone not in ("bad", "wait"))


def dates_of(known: Connection) -> Dates:
    """When access began for the first time and data was read last, by the facts and what was told."""
    begun = [
        fact.at
        for fact in known.facts
        if fact.kind in (Kind.LINKED, Kind.RELINKED)
        or (fact.kind is Kind.SEEN and fact.status is LinkStatus.LINKED)
    ]
    told = [
        one.at for one in known.ledger if one.kind in (Notice.AUTHORIZED.value, Notice.REAUTHORIZED.value)
    ]
    walks = [at for at in (known.base.begun_at, known.walk.begun_at) if at is not None]
    read = [kind.at for kind in known.data_types.values() if kind.status == COMPLETE]
    return Dates(min([*begun, *told, *walks], default=None), max(read, default=None))


def _tells(state: State) -> bool:
    """Whether the newest problem explains this state."""
    return state in (State.AUTHORIZATION_FAILED, State.DEAUTHORIZED)


def _reading(kind: Mapping[str, Any], platform_name: str) -> Reading:
    status = kind["status"]
    running = is_running(status)
    tone = "wait" if running else "good" if status == COMPLETE else "calm"
    return Reading(
        label=words.of_data_type(kind["data_type"]),
        says=words.of_status(status, platform_name),
        tone="bad" if status in FAILED_STATUSES else tone,
        progress=kind["progress"] if running else 100,
    )
