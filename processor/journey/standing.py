"""How the journey of a company stands: each connection, what is asked for, and the whole. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from handlers.state import AWAITING_FIRST_SYNC, LINKED_STATES, State
from processor.journey.link_redirect import Kind
from processor.journey.models import ConnectionView, counts_as
from processor.settings.asked_for import AskedFor, Need

CANCELLED_CODE = "403"
"""Codat's code of an attempt that the user gave up."""


class JourneyOutcome(StrEnum):
    """How a journey stands, in the order in which one counts for the whole company."""

    SYNCING = "syncing"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LEFT = "left"


_BY_STATE = {
    State.READY: JourneyOutcome.READY,
    State.SYNC_FAILED: JourneyOutcome.FAILED,
    State.DEAUTHORIZED: JourneyOutcome.FAILED,
    **dict.fromkeys(AWAITING_FIRST_SYNC, JourneyOutcome.SYNCING),
}
_BY_CLAIM: dict[Kind | None, JourneyOutcome] = {
    "connected": JourneyOutcome.SYNCING,
    "cancelled": JourneyOutcome.CANCELLED,
    "failed": JourneyOutcome.FAILED,
    "unsupported": JourneyOutcome.FAILED,
}


def is_other_account(view: ConnectionView, confirmed_accounts: Mapping[str, str]) -> bool:
    """Whether another account than before has access, and its user did not say that this is meant.

    ``confirmed_accounts`` are the accounts that users confirmed, by connection.
    """
    is_changed = view["previous_account_name"] is not None and State(view["state"]) in LINKED_STATES
    return is_changed and confirmed_accounts.get(view["id"]) != view["account_name"]


def outcome_of(view: ConnectionView, claim: Kind | None = None, *, is_other: bool) -> JourneyOutcome:
    """How the journey to one connection stands.

    ``claim`` is what Codat's redirect says of a connection that waits for access, and counts until the store
    knows better. ``is_other``: it does not count yet, see :func:`is_other_account`.
    """
    if is_other:
        return JourneyOutcome.LEFT
    state = State(view["state"])
    if state is State.PENDING:
        return outcome_of_claim(claim)
    if state is State.AUTHORIZATION_FAILED:
        if claim == "connected":
            return JourneyOutcome.SYNCING
        was_cancelled = (view["error"] or {}).get("status_code") == CANCELLED_CODE
        return JourneyOutcome.CANCELLED if was_cancelled else JourneyOutcome.FAILED
    if view["end_expected"]:
        return JourneyOutcome.READY
    return _BY_STATE.get(state, JourneyOutcome.LEFT)


def outcome_of_claim(claim: Kind | None) -> JourneyOutcome:
    """What Codat's redirect claims."""
    return _BY_CLAIM.get(claim, JourneyOutcome.LEFT)


@dataclass(frozen=True, slots=True)
class AskedForStanding:
    """One source type that is asked for, and how its best connection stands; ``None`` without one."""

    source_type: str
    need: Need
    outcome: JourneyOutcome | None = None
    connection_id: str | None = None
    is_skipped: bool = False

    @property
    def is_met(self) -> bool:
        """Whether there is nothing more for the user to do about it."""
        return self.outcome in (JourneyOutcome.SYNCING, JourneyOutcome.READY)

    @property
    def is_open(self) -> bool:
        """Whether it is still asked for: an optional one may be left for later."""
        return not self.is_met and not self.is_skipped


@dataclass(frozen=True, slots=True)
class Standing:
    """The whole: its outcome, the connection of which that is said, and what is asked for, in order."""

    outcome: JourneyOutcome
    connection_id: str | None
    steps: tuple[AskedForStanding, ...] = ()

    @property
    def done(self) -> int:
        """How many of the steps are met."""
        return sum(step.is_met for step in self.steps)

    @property
    def of(self) -> int:
        """How many steps count: all but those that are left for later."""
        return sum(step.is_met or step.is_open for step in self.steps)

    @property
    def missing(self) -> tuple[AskedForStanding, ...]:
        """The required steps that are not met."""
        return tuple(step for step in self.steps if step.need is Need.REQUIRED and not step.is_met)

    @property
    def next_step(self) -> AskedForStanding | None:
        """The first step that is still asked for."""
        return next((step for step in self.steps if step.is_open), None)


@dataclass(frozen=True, slots=True)
class ConnectionStanding:
    """How one connection stands; ``source_type`` is the one that it counts as."""

    connection_id: str
    source_type: str
    outcome: JourneyOutcome


def standing_of(
    connections: Sequence[ConnectionStanding], asked_for: Sequence[AskedFor], skipped: Sequence[str]
) -> Standing:
    """How a company's journey stands, from its connections, newest first.

    The best connection counts, in the order of :class:`JourneyOutcome`. If something is required, the whole
    is only as good as the worst of what is required. ``skipped`` are the source types left for later.
    """
    steps = []
    for asked in asked_for:
        outcome, connection_id = _best([row for row in connections if row.source_type == asked.source_type])
        is_skipped = asked.need is Need.OPTIONAL and asked.source_type in skipped
        steps.append(AskedForStanding(asked.source_type, asked.need, outcome, connection_id, is_skipped))
    required = [step for step in steps if step.need is Need.REQUIRED]
    for worst in _WORST_FIRST if required else ():
        for step in required:
            if (step.outcome or JourneyOutcome.LEFT) is worst:
                return Standing(worst, step.connection_id, tuple(steps))
    outcome, connection_id = _best(connections)
    return Standing(outcome or JourneyOutcome.LEFT, connection_id, tuple(steps))


_WORST_FIRST = (
    *(JourneyOutcome.FAILED, JourneyOutcome.CANCELLED, JourneyOutcome.LEFT),
    *(JourneyOutcome.SYNCING, JourneyOutcome.READY),
)


def connection_standing(view: ConnectionView, outcome: JourneyOutcome) -> ConnectionStanding:
    """How the connection that ``view`` represents stands."""
    return ConnectionStanding(
        view["id"], counts_as(view["source_type"], view["platform_name"] or ""), outcome
    )


def _best(connections: Sequence[ConnectionStanding]) -> tuple[JourneyOutcome | None, str | None]:
    for outcome in JourneyOutcome:
        for row in connections:
            if row.outcome is outcome:
                return outcome, row.connection_id
    return None, None
