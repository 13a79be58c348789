"""The view model of one connection on the pages. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from handlers.state import AWAITING_FIRST_SYNC, LINKED_STATES, State
from processor.journey.standing import JourneyOutcome
from processor.languages.current import gettext
from processor.web.merchant.copy import terms
from processor.web.merchant.copy.connection_states import STEP_LABELS, StateText

ACCOUNTING = "Accounting"

IN_MOTION = frozenset({State.PENDING, State.AUTHORIZED, State.SYNCING, State.AUTHORIZATION_FAILED})
"""States that are expected to change soon."""

_STEP_OF: Mapping[State, int] = {
    State.PENDING: 0,
    State.AUTHORIZATION_FAILED: 0,  # not "failed": the merchant tries this step again
    State.AUTHORIZED: 1,
    State.SYNCING: 1,
    State.SYNC_FAILED: 1,
    State.READY: 2,
}


@dataclass(frozen=True, slots=True)
class JourneyStep:
    """One step of the journey; ``status`` is ``done``, ``now``, ``failed`` or ``ahead``."""

    label: str
    status: str


@dataclass(frozen=True, slots=True)
class SyncProgress:
    """Sync of one data type; ``tone`` is ``good``, ``bad``, ``wait`` or ``calm``."""

    label: str
    status: str
    tone: str
    progress: int


@dataclass(frozen=True, slots=True)
class Card:
    """One connection.

    ``name`` is the platform's, extended where the company has several connections to it; ``account`` is the
    account, shop or business at the platform; ``account_hint`` is what the address of the way back calls it,
    while Codat does not say; ``previous_account`` is the one before, until somebody says that this is meant;
    ``counts_as`` is the source type as which it is asked for.
    ``raw_account`` is ``account`` as Codat spells it, for the form that says so.
    ``can_be_read``: its data was read, and can be read again now.
    ``is_barred``: another accounting platform is connected. ``waits_for_computer``:
    nothing is read until the customer's computer is on.
    """

    id: str
    name: str
    account: str | None
    account_hint: str | None
    previous_account: str | None
    raw_account: str | None
    platform_key: str | None
    group: str
    logo_url: str | None
    state: State
    text: StateText
    progress: int
    data_types: tuple[SyncProgress, ...]
    error: str | None
    outcome: JourneyOutcome
    authorization: int
    counts_as: str
    can_be_read: bool = False
    is_barred: bool = False
    waits_for_computer: bool = False

    @property
    def full_name(self) -> str:
        """The name with the account at the platform, for a sentence that must not mean another one."""
        is_told_apart = "(" in self.name
        return self.name if is_told_apart or not self.account else f"{self.name} ({self.account})"

    @property
    def is_linked(self) -> bool:
        """Whether access is given now."""
        return self.state in LINKED_STATES

    @property
    def is_in_motion(self) -> bool:
        """Whether a change is expected soon, so that Codat is asked while the page is open."""
        return self.state in IN_MOTION or self.text.read_again

    @property
    def is_reading(self) -> bool:
        """Whether the page shows a progress bar."""
        return self.state in AWAITING_FIRST_SYNC and not self.waits_for_computer and not self.text.read_again

    @property
    def is_unfinished(self) -> bool:
        """Whether a link was begun and access was not given yet."""
        return self.state in (State.PENDING, State.AUTHORIZATION_FAILED)

    @property
    def is_done(self) -> bool:
        """Whether there is nothing more for the merchant to do."""
        return self.outcome in (JourneyOutcome.READY, JourneyOutcome.SYNCING) and self.text.tone != "bad"

    @property
    def can_be_barred(self) -> bool:
        """Whether another connected accounting platform prevents this connection."""
        return self.group == ACCOUNTING and not self.is_linked and self.state is not State.DELETED

    @property
    def announcement(self) -> str:
        """The state in one sentence, for screen readers."""
        title = self.text.title
        return f"{title}." if self.name in title else f"{self.name}: {title}."

    @property
    def initials(self) -> str:
        """Letters that replace a missing logo."""
        return terms.initials(self.name)

    @property
    def steps(self) -> tuple[JourneyStep, ...]:
        """The steps to "ready"; empty when access has ended or the connection is barred."""
        if self.is_barred or self.state not in _STEP_OF:
            return ()
        current = _STEP_OF[self.state]

        def status_of(step: int) -> str:
            if step < current or self.state is State.READY:
                return "done"
            if step > current:
                return "ahead"
            return "failed" if self.state is State.SYNC_FAILED else "now"

        return tuple(JourneyStep(gettext(label), status_of(step)) for step, label in enumerate(STEP_LABELS))
