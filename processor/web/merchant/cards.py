"""Connections as the pages show them: one card each, made from the public representation. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from handlers.connection import Connection
from handlers.events import LinkStatus
from handlers.facts import COMPLETE, FactKind
from handlers.milestones import NotificationType
from handlers.state import AWAITING_FIRST_SYNC, LINKED_STATES, State, has_failed, is_running
from processor.clock import from_iso
from processor.humanize import data_type
from processor.journey import ConnectionView, LinkRedirect, PlatformView
from processor.journey.search import group_of
from processor.web.merchant.copy import connection_states, terms
from processor.web.merchant.copy.connection_states import StateText

IN_MOTION = frozenset({State.PENDING, State.AUTHORIZED, State.SYNCING, State.AUTHORIZATION_FAILED})
"""The states that somebody who looks at the page expects to change soon."""

UNNAMED = "your platform"
ACCOUNTING = "Accounting"

STEPS = ("You give access", "We read your data", "Ready")
_STEP_OF: Mapping[State, int] = {
    State.PENDING: 0,
    State.AUTHORIZATION_FAILED: 0,  # not "failed": it is what to do now, again
    State.AUTHORIZED: 1,
    State.SYNCING: 1,
    State.SYNC_FAILED: 1,
    State.READY: 2,
}

_NOT_BEGUN = frozenset({"Initial", "Queued"})
"""Statuses of data types that nobody reads yet."""


@dataclass(frozen=True, slots=True)
class JourneyStep:
    """One step of the way; ``stands`` is ``done``, ``now``, ``failed`` or ``ahead``."""

    label: str
    stands: str


@dataclass(frozen=True, slots=True)
class SyncProgress:
    """How reading one data type stands; ``tone`` is ``good``, ``bad``, ``wait`` or ``calm``."""

    label: str
    says: str
    tone: str
    progress: int


@dataclass(frozen=True, slots=True)
class Card:
    """One connection. Times are ISO 8601 in UTC; ``None``: not known, or never.

    ``name`` is the platform's, with what tells it apart from others of that platform; ``account`` is the
    account, shop or business behind it.
    ``is_barred``: another accounting platform leaves it no room, as its advice says.
    ``waits_for_computer``: nothing is read before the customer's computer is on.
    """

    id: str
    name: str
    account: str | None
    platform_key: str | None
    group: str
    logo_url: str | None
    state: State
    words: StateText
    progress: int
    readings: tuple[SyncProgress, ...]
    error: str | None
    authorized_at: str | None
    is_barred: bool = False
    waits_for_computer: bool = False

    @property
    def is_linked(self) -> bool:
        """Whether access is given now."""
        return self.state in LINKED_STATES

    @property
    def is_in_motion(self) -> bool:
        """Whether it is worth asking Codat while somebody looks."""
        return self.state in IN_MOTION or self.words.read_again

    @property
    def is_reading(self) -> bool:
        """Whether a bar of progress makes sense."""
        return self.state in AWAITING_FIRST_SYNC and not self.waits_for_computer and not self.words.read_again

    @property
    def is_unfinished(self) -> bool:
        """Whether somebody began and access was not given yet."""
        return self.state in (State.PENDING, State.AUTHORIZATION_FAILED)

    @property
    def wants_room(self) -> bool:
        """Whether another accounting platform that is connected keeps it from being so."""
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
        return "".join(word[0] for word in self.name.split()[:2] if word[0].isalnum()).upper()

    @property
    def steps(self) -> tuple[JourneyStep, ...]:
        """The way to "ready"; none where access has ended, or where there is no way."""
        if self.is_barred or self.state not in _STEP_OF:
            return ()
        here = _STEP_OF[self.state]
        failed = self.state is State.SYNC_FAILED
        arrived = self.state is State.READY

        def stands(number: int) -> str:
            if number < here or arrived:
                return "done"
            return "ahead" if number > here else "failed" if failed else "now"

        return tuple(JourneyStep(label, stands(number)) for number, label in enumerate(STEPS))


@dataclass(frozen=True, slots=True)
class Dates:
    """When access was first given and when data was last read well; ``None``: never, or not known."""

    first_authorized: datetime | None
    last_sync: datetime | None


def card(
    view: ConnectionView,
    platforms: Mapping[str, PlatformView],
    *,
    back: LinkRedirect | None = None,
    name: str | None = None,
) -> Card:
    """The card of a connection; ``platforms`` by key gives the logo and the full name.

    ``back`` is what the address claims of which the user was just sent back. ``name`` tells it apart from
    others of its platform; ``None``: the platform's is enough.
    """
    platform = platforms.get(view["platform_key"] or "")
    platform_name = _platform_name(view, platforms)
    name = name or platform_name
    current = [kind for kind in view["data_types"] if kind["current"]]
    state = _state_shown(State(view["state"]), current)
    error = view["error"] if _tells(state) else None
    claimed = back.kind if back else None
    unread = {kind["status"] for kind in current if has_failed(kind["status"], kind["progress"])}
    on_premise = view["on_premise"] if platform is None else platform.is_on_premise
    waits = on_premise and not view["first_sync_missing"] and _waits_for_computer(state, current)
    said = connection_states.of_state(
        state,
        name,
        back=claimed,
        code=error["status_code"] if error else None,
        unread=unread,
        waits_for_computer=waits,
        first_sync_missing=view["first_sync_missing"],
        end_expected=view["end_expected"],
    )
    return Card(
        id=view["id"],
        name=name,
        account=terms.name_of(view["account_name"]) if view["account_name"] else None,
        platform_key=view["platform_key"],
        group=group_of(view["source_type"]),
        logo_url=logo_of(platform),
        state=state,
        words=said,
        progress=view["progress"],
        readings=tuple(_reading(kind, name, waits=waits) for kind in current),
        error=_quoted(error) if error and claimed != "connected" and not view["end_expected"] else None,
        authorized_at=view["authorized_at"],
        waits_for_computer=waits,
    )


def names_apart(views: Sequence[ConnectionView], platforms: Mapping[str, PlatformView]) -> dict[str, str]:
    """By connection the name under which it stands beside ``views``, all of one company.

    Of several of one platform each has its account's name, as far as that says which; else a number, in
    the order in which they were begun, and that day.
    """
    of_platform: dict[str, list[ConnectionView]] = {}
    for view in sorted(views, key=lambda one: (one["first_heard_at"], one["id"])):
        of_platform.setdefault(_platform_name(view, platforms), []).append(view)
    names: dict[str, str] = {}
    for name, several in of_platform.items():
        accounts = Counter(view["account_name"] for view in several)
        for number, view in enumerate(several, start=1):
            account = view["account_name"]
            if len(several) == 1:
                names[view["id"]] = name
            elif account and accounts[account] == 1:
                names[view["id"]] = f"{name} ({terms.name_of(account)})"
            else:
                begun = terms.day(from_iso(view["first_heard_at"]))
                names[view["id"]] = f"{name} {number} (begun {begun})"
    return names


def _platform_name(view: ConnectionView, platforms: Mapping[str, PlatformView]) -> str:
    platform = platforms.get(view["platform_key"] or "")
    return terms.name_of(view["platform_name"] or (platform.name if platform else UNNAMED))


def logo_of(platform: PlatformView | None) -> str | None:
    """The square logo where there is one, for it fits a tile, otherwise the full one."""
    return None if platform is None else platform.square_logo_url or platform.logo_url


def with_room(cards: Sequence[Card]) -> list[Card]:
    """The same, and where one accounting platform leaves no room for another, that one says so."""
    taken = next((one.name for one in cards if one.is_linked and one.group == ACCOUNTING), None)
    if taken is None:
        return list(cards)
    return [
        replace(
            one,
            words=connection_states.barred(one.words, one.name, taken, is_unfinished=one.is_unfinished),
            error=None,
            is_barred=True,
        )
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
        if fact.kind in (FactKind.LINKED, FactKind.RELINKED)
        or (fact.kind is FactKind.SEEN and fact.status is LinkStatus.LINKED)
    ]
    told = [
        one.at
        for one in known.ledger
        if one.kind in (NotificationType.AUTHORIZED.value, NotificationType.REAUTHORIZED.value)
    ]
    walks = [at for at in (known.base.begun_at, known.history.begun_at) if at is not None]
    read = [kind.at for kind in known.data_types.values() if kind.status == COMPLETE]
    return Dates(min([*begun, *told, *walks], default=None), max(read, default=None))


def _state_shown(state: State, kinds: Sequence[Mapping[str, Any]]) -> State:
    """The state, but a first read that failed is history once something was read after it."""
    was_read = any(kind["status"] == COMPLETE for kind in kinds)
    return State.READY if state is State.SYNC_FAILED and was_read else state


def _tells(state: State) -> bool:
    """Whether the newest problem explains this state."""
    return state in (State.AUTHORIZATION_FAILED, State.DEAUTHORIZED)


def _quoted(error: Mapping[str, str | None]) -> str | None:
    """What the platform said of the problem; ``None`` where the user decided and there is nothing to add."""
    if error["status_code"] == connection_states.CANCELLED_CODE:
        return None
    return terms.quotation(error["message"] or error["status_text"] or "") or None


def _waits_for_computer(state: State, kinds: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a first read of software on the customer's computer has to begin, and nobody reads now."""
    running = [kind["status"] for kind in kinds if is_running(kind["status"], kind["progress"])]
    return state in AWAITING_FIRST_SYNC and _NOT_BEGUN.issuperset(running)


def _reading(kind: Mapping[str, Any], platform_name: str, *, waits: bool) -> SyncProgress:
    status = kind["status"]
    running = is_running(status, kind["progress"]) and not waits
    failed = has_failed(status, kind["progress"])
    tone = "wait" if running else "good" if status == COMPLETE else "calm"
    return SyncProgress(
        label=data_type(kind["data_type"]),
        says=terms.of_status(status, platform_name, failed=failed),
        tone="bad" if failed else tone,
        progress=kind["progress"] if running else 100,
    )
