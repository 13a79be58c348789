"""Texts for the states of a connection. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from handlers.facts import AUTH_ERROR
from handlers.state import State
from processor.web.merchant.copy import terms


@dataclass(frozen=True, slots=True)
class StateText:
    """The text of a state.

    ``badge`` is one or two words, ``tone`` one of ``good wait bad calm``, ``title`` and ``body`` describe the
    state, ``advice`` says what to do next. ``action`` is the label of the button that leads to the platform;
    ``None`` means no button.

    The page also offers: ``is_missing``: advice for a missing platform; ``to_manage``: the list of
    connections; ``read_again``: to have the data read again; ``to_share``: to share the link with a
    colleague.
    """

    badge: str
    tone: str
    title: str
    body: str
    advice: str | None = None
    action: str | None = None
    is_missing: bool = False
    to_manage: bool = False
    read_again: bool = False
    to_share: bool = False


STEP_LABELS = ("You give access", "We read your data", "Ready")
"""The steps of the journey."""

_STATES: Mapping[State, StateText] = {
    State.PENDING: StateText(
        "Started",
        "wait",
        "Waiting for you to give access",
        "Sign in at {platform} and allow access. This page notices by itself when you have.",
        "You can stop here and finish later with the same link.",
        "Continue with {platform}",
        to_share=True,
    ),
    State.AUTHORIZED: StateText(
        "Access given",
        "wait",
        "You gave access to {platform}",
        "Reading your data is about to begin. You do not need to do anything.",
    ),
    State.SYNCING: StateText(
        "Reading",
        "wait",
        "Reading your data from {platform}",
        "The first time can take from a minute to an hour, depending on how much there is. What {platform} "
        "does not hand out at once is tried again for up to twelve hours.",
        "You can close this page: reading goes on without it.",
    ),
    State.READY: StateText(
        "Connected",
        "good",
        "{platform} is connected",
        "Your data was read. There is nothing more to do.",
    ),
    State.AUTHORIZATION_FAILED: StateText(
        "Not connected",
        "bad",
        "{platform} could not be connected",
        "Something went wrong on the way. Nothing was read.",
        "Try again; you need a login at {platform} that may give access.",
        "Try again",
        to_share=True,
    ),
    State.SYNC_FAILED: StateText(
        "Nothing read",
        "bad",
        "You gave access, but your data could not be read",
        "{platform} let us in, but reading ended with an error.",
        "Have it read again. If that does not help, disconnect {platform} under “Manage” and connect it "
        "again.",
        read_again=True,
    ),
    State.DEAUTHORIZED: StateText(
        "Access ended",
        "bad",
        "{platform} no longer gives access",
        "Access was withdrawn at {platform}, or it expired. New data is not read.",
        "Connect again to go on.",
        "Connect again",
        to_share=True,
    ),
    State.UNLINKED: StateText(
        "Disconnected",
        "calm",
        "{platform} is disconnected",
        "No new data is read. You can connect it again at any time.",
        None,
        "Connect again",
    ),
    State.DELETED: StateText(
        "Deleted",
        "calm",
        "The connection to {platform} was deleted",
        "It is gone for good, and so is our access.",
        "You can add a new connection at any time.",
    ),
}

_WAITING_FOR_COMPUTER = StateText(
    "Waiting for your computer",
    "calm",
    "Waiting for your computer",
    "You gave access. {expect}",
    "Leave that computer on, and there is nothing more to do. You can close this page.",
)

_FIRST_SYNC_MISSING = StateText(
    "Access given",
    "wait",
    "You gave access to {platform}, and nothing is being read yet",
    "Reading does not begin by itself here.",
    "Have it read now.",
    read_again=True,
)

_READ_ONCE = StateText(
    "Read once",
    "calm",
    "Your data was read from {platform}, once",
    "The connector on your computer is set to share once, so access ended when that was done, as it should.",
    "There is nothing more to do. To share newer data, connect again.",
    "Connect again",
)

_PARTLY_READ = StateText(
    "Read in part",
    "calm",
    "{platform} is connected, but was read in part only",
    "Some of it could not be read, as you see below.",
    "It is tried again by itself; you do not need to do anything.",
)
_PARTLY_READ_WITHOUT_RIGHTS = replace(
    _PARTLY_READ,
    tone="wait",
    body="Some of it could not be read, as you see below: {platform} asks for you to sign in again, or your "
    "login may not see it.",
    advice="Connect again, with a login at {platform} that may see all of it.",
    action="Connect again",
)
_NOT_READ_WITHOUT_RIGHTS = replace(
    _STATES[State.SYNC_FAILED],
    body="{platform} let us in, but asks for you to sign in again, or your login may not see the data.",
    advice="Connect again, with a login at {platform} that may see it.",
    action="Connect again",
    read_again=False,
    to_share=True,
)
SIGN_IN_STATUSES = frozenset({AUTH_ERROR, "PermissionsError"})
"""Statuses of data types that only a new sign-in at the platform can fix."""

CANCELLED_CODE = "403"
NOT_SUPPORTED_CODE = "501"

_CANCELLED = StateText(
    "Not connected",
    "calm",
    "You did not give access",
    "Nothing was connected and nothing was read. You can try again whenever you like.",
    None,
    "Try again",
    to_share=True,
)
_UNSUPPORTED = replace(
    _STATES[State.AUTHORIZATION_FAILED],
    title="This platform is not supported",
    body="{platform} cannot be connected yet, or not in the form that you use. Nothing was read.",
    advice="Choose another one, or see what else helps.",
    is_missing=True,
    to_share=False,
)
_BY_CODE = {CANCELLED_CODE: _CANCELLED, NOT_SUPPORTED_CODE: _UNSUPPORTED}

_CHECKING = StateText(
    "Checking",
    "wait",
    "Checking with {platform}",
    "You were sent back as connected. We make sure of it; this takes a few seconds.",
    "If nothing changes within a minute, access was not given after all: continue with {platform}.",
    "Continue with {platform}",
)

_CONTINUE = "Continue with {platform}"
_BY_CLAIM: Mapping[str | None, StateText] = {
    "connected": _CHECKING,
    "left": StateText(
        "Not connected",
        "calm",
        "You left before anything was connected",
        "You can go on whenever you like, now or later with the same link.",
        None,
        _CONTINUE,
        to_share=True,
    ),
    "cancelled": replace(_CANCELLED, action=_CONTINUE),
    "failed": StateText(
        "Not connected",
        "bad",
        "Something went wrong",
        "{platform} could not be connected because of an error that is not yours. Nothing was read.",
        "Wait a few minutes and try again.",
        _CONTINUE,
        to_share=True,
    ),
    "unsupported": replace(_UNSUPPORTED, action=_CONTINUE),
}
"""Texts by the claim of Codat's redirect, for a connection that waits for access."""


def of_state(
    state: State,
    platform: str,
    *,
    claim: str | None = None,
    code: str | None = None,
    failed_statuses: Collection[str] = (),
    waits_for_computer: bool = False,
    first_sync_missing: bool = False,
    end_expected: bool = False,
) -> StateText:
    """The text of ``state``; ``platform`` is the full name of the platform.

    ``claim``: the kind of the redirect with which the merchant just came back, which the store may not know
    yet. ``code``: Codat's code of the newest error. ``failed_statuses``: of the data types that could not be
    read. ``waits_for_computer``: nothing is read until the customer's computer is on. ``first_sync_missing``:
    Codat has queued nothing to read. ``end_expected``: the connector was set to be read once, and it was.
    """
    if first_sync_missing:
        template = _FIRST_SYNC_MISSING
    elif end_expected:
        template = _READ_ONCE
    elif waits_for_computer:
        template = _WAITING_FOR_COMPUTER
    else:
        template = _template_of(state, claim, code, failed_statuses)
    expect = terms.on_premise(platform)

    def fill(text: str) -> str:
        return text.replace("{platform}", platform).replace("{expect}", expect)

    return replace(
        template,
        title=fill(template.title),
        body=fill(template.body),
        advice=template.advice and fill(template.advice),
        action=template.action and fill(template.action),
    )


def barred(text: StateText, platform: str, connected: str, *, is_unfinished: bool) -> StateText:
    """The text of a connection that the accounting platform ``connected`` prevents."""
    return StateText(
        badge="Not connected" if is_unfinished else text.badge,
        tone="calm",
        title=f"{platform} is not connected" if is_unfinished else text.title,
        body=terms.single_connection(connected),
        advice=terms.TO_CHANGE,
        to_manage=True,
    )


def _template_of(
    state: State, claim: str | None, code: str | None, failed_statuses: Collection[str]
) -> StateText:
    if state is State.PENDING or (state is State.AUTHORIZATION_FAILED and claim == "connected"):
        return _BY_CLAIM.get(claim, _STATES[State.PENDING])
    if state is State.AUTHORIZATION_FAILED:
        return _BY_CODE.get(code or "", _STATES[state])
    lacks_rights = not SIGN_IN_STATUSES.isdisjoint(failed_statuses)
    if state is State.READY and failed_statuses:
        return _PARTLY_READ_WITHOUT_RIGHTS if lacks_rights else _PARTLY_READ
    if state is State.SYNC_FAILED and lacks_rights:
        return _NOT_READ_WITHOUT_RIGHTS
    return _STATES[state]
