"""Connections as the pages show them: one card each, made from the public representation. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from handlers.connection import Connection
from handlers.events import LinkStatus
from handlers.facts import COMPLETE, FAILED_STATUSES, Kind
from handlers.notices import Notice
from handlers.situation import LINKED, State, is_running
from processor.journey import ConnectionView, LinkOutcome, Platform
from processor.web.pages import words
from processor.web.pages.words import Sentence

IN_MOTION = frozenset({State.PENDING, State.AUTHORIZED, State.SYNCING, State.AUTHORIZATION_FAILED})
"""The states that somebody who looks at the page expects to change soon."""

UNNAMED = "your platform"
ACCOUNTING = "Accounting"

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
    """One connection. Times are ISO 8601 in UTC; ``None``: not known, or never.

    ``is_barred``: another accounting software leaves it no room, as its advice says.
    """

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
    is_barred: bool = False

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
    def is_unfinished(self) -> bool:
        """Whether somebody began and access was not given yet."""
        return self.state in (State.PENDING, State.AUTHORIZATION_FAILED)

    @property
    def wants_room(self) -> bool:
        """Whether another accounting software that is connected keeps it from being so."""
        return self.group == ACCOUNTING and not self.is_linked and self.state is not State.DELETED

    @property
    def says(self) -> str:
        """How it stands, for somebody who hears nothing else."""
        return (
            f"{self.words.title}." if self.name in self.words.title else f"{self.name}: {self.words.title}."
        )

    @property
    def initials(self) -> str:
        """What stands in for a logo."""
        return "".join(word[0] for word in self.name.split()[:2]).upper()

    @property
    def steps(self) -> tuple[Step, ...]:
        """The way to "ready"; none where access has ended, or where there is no way."""
        if self.is_barred or self.state not in _STEP_OF:
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


def card(view: ConnectionView, platforms: Mapping[str, Platform], *, back: LinkOutcome | None = None) -> Card:
    """The card of a connection; ``platforms`` by key gives the logo and the full name.

    ``back`` is what the address claims of which the user was just sent back.
    """
    platform = platforms.get(view["platform_key"] or "")
    name = words.name_of(view["platform_name"] or (platform.name if platform else UNNAMED))
    state = State(view["state"])
    error = view["error"] if _tells(state) else None
    claimed = back.kind if back else None
    current = [kind for kind in view["data_types"] if kind["current"]]
    unread = {kind["status"] for kind in current} & FAILED_STATUSES
    said = words.of_state(
        state, name, back=claimed, code=error["status_code"] if error else None, unread=unread
    )
    return Card(
        id=view["id"],
        name=name,
        platform_key=view["platform_key"],
        group=words.group_of(view["source_type"]),
        logo_url=logo_of(platform),
        state=state,
        words=said,
        progress=view["progress"],
        readings=tuple(_reading(kind, name) for kind in current),
        error=words.name_of(error["message"] or error["status_text"] or "") or None
        if error and claimed != "connected"
        else None,
        authorized_at=view["authorized_at"],
    )


def logo_of(platform: Platform | None) -> str | None:
    """The square logo where there is one, for it fits a tile, otherwise the full one."""
    return None if platform is None else platform.square_logo_url or platform.logo_url


def with_room(cards: Sequence[Card]) -> list[Card]:
    """The same, and where one accounting software leaves no room for another, that one says so."""
    taken = next((one.name for one in cards if one.is_linked and one.group == ACCOUNTING), None)
    if taken is None:
        return list(cards)
    return [
        replace(one, words=words.barred(one.words, one.name, taken), is_barred=True)
        if one.wants_room
        else one
        for one in cards
    ]


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
