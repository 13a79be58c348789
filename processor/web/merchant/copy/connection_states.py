"""Texts for the states of a connection. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from handlers.facts import AUTH_ERROR
from handlers.state import State
from processor.languages.current import gettext, mark, moment
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


STEP_LABELS = (mark("You give access"), mark("We read your data"), mark("Ready"))
"""The steps of the journey."""

_STATES: Mapping[State, StateText] = {
    State.PENDING: StateText(
        mark("Started"),
        "wait",
        mark("Waiting for you to give access"),
        mark("Sign in at {platform} and allow access. This page notices by itself when you have."),
        mark("You can stop here and finish later with the same link."),
        mark("Continue with {platform}"),
        to_share=True,
    ),
    State.AUTHORIZED: StateText(
        mark("Access given"),
        "wait",
        mark("You gave access to {platform}"),
        mark("Reading your data is about to begin. You do not need to do anything."),
    ),
    State.SYNCING: StateText(
        mark("Reading"),
        "wait",
        mark("Reading your data from {platform}"),
        mark(
            "The first time can take from a minute to an hour, depending on how much there is. "
            "What {platform} does not hand out at once is tried again for up to twelve hours."
        ),
        mark("You can close this page: reading goes on without it."),
    ),
    State.READY: StateText(
        mark("Connected"),
        "good",
        mark("{platform} is connected"),
        mark("Your data was read. There is nothing more to do."),
    ),
    State.AUTHORIZATION_FAILED: StateText(
        mark("Not connected"),
        "bad",
        mark("{platform} could not be connected"),
        mark("Something went wrong on the way. Nothing was read."),
        mark("Try again; you need a login at {platform} that may give access."),
        mark("Try again"),
        to_share=True,
    ),
    State.SYNC_FAILED: StateText(
        mark("Nothing read"),
        "bad",
        mark("You gave access, but your data could not be read"),
        mark("{platform} let us in, but reading ended with an error."),
        mark(
            "Have it read again. If that does not help, disconnect {platform} under “Manage” and connect it "
            "again."
        ),
        read_again=True,
    ),
    State.DEAUTHORIZED: StateText(
        mark("Access ended"),
        "bad",
        mark("{platform} no longer gives access"),
        mark("Access was withdrawn at {platform}, or it expired. New data is not read."),
        mark("Connect again to go on."),
        mark("Connect again"),
        to_share=True,
    ),
    State.UNLINKED: StateText(
        mark("Disconnected"),
        "calm",
        mark("{platform} is disconnected"),
        mark("No new data is read. You can connect it again at any time."),
        None,
        mark("Connect again"),
    ),
    State.DELETED: StateText(
        mark("Deleted"),
        "calm",
        mark("The connection to {platform} was deleted"),
        mark("It is gone for good, and so is our access."),
        mark("You can add a new connection at any time."),
    ),
}

_WAITING_FOR_COMPUTER = StateText(
    mark("Waiting for your computer"),
    "calm",
    mark("Waiting for your computer"),
    mark("You gave access. {expect}"),
    mark("Leave that computer on, and there is nothing more to do. You can close this page."),
)

_PAUSED = StateText(
    mark("Paused"),
    "calm",
    mark("Reading from {platform} is paused"),
    mark("{platform} hands out no more for now. Reading goes on by itself; it is paused until {until}."),
    mark("There is nothing to do. You can close this page."),
)

_FIRST_SYNC_MISSING = StateText(
    mark("Access given"),
    "wait",
    mark("You gave access to {platform}, and nothing is being read yet"),
    mark("Reading does not begin by itself here."),
    mark("Have it read now."),
    read_again=True,
)

_READ_ONCE = StateText(
    mark("Read once"),
    "calm",
    mark("Your data was read from {platform}, once"),
    mark(
        "The connector on your computer is set to share once, so access ended when that was "
        "done, as it should."
    ),
    mark("There is nothing more to do. To share newer data, connect again."),
    mark("Connect again"),
)

_PARTLY_READ = StateText(
    mark("Read in part"),
    "calm",
    mark("{platform} is connected, but was read in part only"),
    mark("Some of it could not be read, as you see below."),
    mark("It is tried again by itself; you do not need to do anything."),
)
_PARTLY_READ_WITHOUT_RIGHTS = replace(
    _PARTLY_READ,
    tone="wait",
    body=mark(
        "Some of it could not be read, as you see below: {platform} asks for you to sign in again, or your "
        "login may not see it."
    ),
    advice=mark("Connect again, with a login at {platform} that may see all of it."),
    action=mark("Connect again"),
)
_NOT_READ_WITHOUT_RIGHTS = replace(
    _STATES[State.SYNC_FAILED],
    body=mark("{platform} let us in, but asks for you to sign in again, or your login may not see the data."),
    advice=mark("Connect again, with a login at {platform} that may see it."),
    action=mark("Connect again"),
    read_again=False,
    to_share=True,
)
SIGN_IN_STATUSES = frozenset({AUTH_ERROR, "PermissionsError"})
"""Statuses of data types that only a new sign-in at the platform can fix."""

CANCELLED_CODE = "403"
NOT_SUPPORTED_CODE = "501"

_CANCELLED = StateText(
    mark("Not connected"),
    "calm",
    mark("You did not give access"),
    mark("Nothing was connected and nothing was read. You can try again whenever you like."),
    None,
    mark("Try again"),
    to_share=True,
)
_UNSUPPORTED = replace(
    _STATES[State.AUTHORIZATION_FAILED],
    title=mark("This platform is not supported"),
    body=mark("{platform} cannot be connected yet, or not in the form that you use. Nothing was read."),
    advice=mark("Choose another one, or see what else helps."),
    is_missing=True,
    to_share=False,
)
_BY_CODE = {CANCELLED_CODE: _CANCELLED, NOT_SUPPORTED_CODE: _UNSUPPORTED}

_CHECKING = StateText(
    mark("Checking"),
    "wait",
    mark("Checking with {platform}"),
    mark("You were sent back as connected. We make sure of it; this takes a few seconds."),
    mark("If nothing changes within a minute, access was not given after all: continue with {platform}."),
    mark("Continue with {platform}"),
)

_CONTINUE = mark("Continue with {platform}")
_BY_CLAIM: Mapping[str | None, StateText] = {
    "connected": _CHECKING,
    "left": StateText(
        mark("Not connected"),
        "calm",
        mark("You left before anything was connected"),
        mark("You can go on whenever you like, now or later with the same link."),
        None,
        _CONTINUE,
        to_share=True,
    ),
    "cancelled": replace(_CANCELLED, action=_CONTINUE),
    "failed": StateText(
        mark("Not connected"),
        "bad",
        mark("Something went wrong"),
        mark("{platform} could not be connected because of an error that is not yours. Nothing was read."),
        mark("Wait a few minutes and try again."),
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
    paused_until: datetime | None = None,
) -> StateText:
    """The text of ``state``; ``platform`` is the full name of the platform.

    ``claim``: the kind of the redirect with which the merchant just came back, which the store may not know
    yet. ``code``: Codat's code of the newest error. ``failed_statuses``: of the data types that could not be
    read. ``waits_for_computer``: nothing is read until the customer's computer is on. ``first_sync_missing``:
    Codat has queued nothing to read. ``end_expected``: the connector was set to be read once, and it was.
    ``paused_until``: when a first sync that is paused goes on.
    """
    if first_sync_missing:
        template = _FIRST_SYNC_MISSING
    elif end_expected:
        template = _READ_ONCE
    elif waits_for_computer:
        template = _WAITING_FOR_COMPUTER
    elif paused_until is not None:
        template = _PAUSED
    else:
        template = _template_of(state, claim, code, failed_statuses)
    expect = terms.on_premise(platform)
    until = moment(paused_until) if paused_until else ""

    def fill(text: str) -> str:
        words = gettext(text).replace("{platform}", platform)
        return words.replace("{expect}", expect).replace("{until}", until)

    return replace(
        template,
        badge=gettext(template.badge),
        title=fill(template.title),
        body=fill(template.body),
        advice=template.advice and fill(template.advice),
        action=template.action and fill(template.action),
    )


def barred(text: StateText, platform: str, connected: str, *, is_unfinished: bool) -> StateText:
    """The text of a connection that the accounting platform ``connected`` prevents."""
    return StateText(
        badge=gettext("Not connected") if is_unfinished else text.badge,
        tone="calm",
        title=gettext("{platform} is not connected").replace("{platform}", platform)
        if is_unfinished
        else text.title,
        body=terms.single_connection(connected),
        advice=gettext(terms.TO_CHANGE),
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
