"""What the pages say: Codat's values and our states in the words of somebody who keeps a shop. Pure."""

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from handlers.facts import AUTH_ERROR, COMPLETE, FAILED_STATUSES, NOT_SUPPORTED
from handlers.situation import State

GROUPS: Mapping[str, str] = {
    "Accounting": "Accounting software",
    "Banking": "Bank accounts",
    "Commerce": "Online shops and payments",
    "Expense": "Expenses and cards",
    "BankFeed": "Bank feeds",
    "Other": "Other ways",
}
"""Source types in the order of the page; whatever is none of these stands with the last."""

OTHER = "Other"

_DATA_TYPES: Mapping[str, str] = {
    "chartOfAccounts": "Chart of accounts",
    "company": "Company details",
    "banking-accounts": "Bank accounts",
    "banking-accountBalances": "Account balances",
    "banking-transactions": "Bank transactions",
    "banking-transactionCategories": "Transaction categories",
    "profitAndLoss": "Profit and loss",
    "balanceSheet": "Balance sheet",
    "cashFlowStatement": "Cash flow statement",
}

_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")


@dataclass(frozen=True, slots=True)
class Sentence:
    """What a state means to the person who looks at it.

    ``badge`` names it in a word or two, ``tone`` is how it looks (``good wait bad calm``), ``title`` and
    ``text`` say what is the matter, ``advice`` what to do next; ``None``: nothing. ``action`` is the label
    of the button that leads to the platform, ``None`` where there is nothing to do there; ``is_missing``:
    what to do about a platform that is missing helps more than that.
    """

    badge: str
    tone: str
    title: str
    text: str
    advice: str | None = None
    action: str | None = None
    is_missing: bool = False


_STATES: Mapping[State, Sentence] = {
    State.PENDING: Sentence(
        "Not finished",
        "wait",
        "Waiting for you to give access",
        "Sign in at {platform} and allow access. This page notices by itself when you have.",
        "You can stop here and finish later with the same link.",
        "Continue with {platform}",
    ),
    State.AUTHORIZED: Sentence(
        "Access given",
        "wait",
        "You gave access to {platform}",
        "Reading your data is about to begin. You do not need to do anything.",
    ),
    State.SYNCING: Sentence(
        "Reading",
        "wait",
        "Reading your data from {platform}",
        "The first time can take from a minute to an hour, depending on how much there is.",
        "You can close this page: reading goes on without it.",
    ),
    State.READY: Sentence(
        "Connected",
        "good",
        "{platform} is connected",
        "Your data was read. There is nothing more to do.",
    ),
    State.AUTHORIZATION_FAILED: Sentence(
        "Not connected",
        "bad",
        "{platform} could not be connected",
        "Access was not given, or something went wrong on the way. Nothing was read.",
        "Try again; you need a login at {platform} that may give access. If somebody else holds it, "
        "send them this link.",
        "Try again",
    ),
    State.SYNC_FAILED: Sentence(
        "Nothing read",
        "bad",
        "You gave access, but your data could not be read",
        "{platform} let us in, but reading ended with an error.",
        "Reading is often tried again by itself. If it stays like this for an hour, disconnect "
        "{platform} under “Manage” and connect it again.",
    ),
    State.DEAUTHORIZED: Sentence(
        "Access ended",
        "bad",
        "{platform} no longer gives access",
        "Access was withdrawn at {platform}, or it expired. New data is not read.",
        "Connect again to go on.",
        "Connect again",
    ),
    State.UNLINKED: Sentence(
        "Disconnected",
        "calm",
        "{platform} is disconnected",
        "No new data is read. You can connect it again at any time.",
        None,
        "Connect again",
    ),
    State.DELETED: Sentence(
        "Deleted",
        "calm",
        "The connection to {platform} was deleted",
        "It is gone for good, and so is our access.",
        "You can add a new connection at any time.",
    ),
}

_PARTLY_READ = Sentence(
    "Read in part",
    "calm",
    "{platform} is connected, but was read in part only",
    "Some of it could not be read, as you see below.",
    "It is tried again by itself; you do not need to do anything.",
)
_PARTLY_READ_FOR_WANT_OF_RIGHTS = replace(
    _PARTLY_READ,
    tone="wait",
    text="Some of it could not be read, as you see below: {platform} asks for you to sign in again, or your "
    "login may not see it.",
    advice="Connect again, with a login at {platform} that may see all of it.",
    action="Connect again",
)
_NOT_READ_FOR_WANT_OF_RIGHTS = replace(
    _STATES[State.SYNC_FAILED],
    text="{platform} let us in, but asks for you to sign in again, or your login may not see the data.",
    advice="Connect again, with a login at {platform} that may see it.",
    action="Connect again",
)
SIGN_IN_AGAIN = frozenset({AUTH_ERROR, "PermissionsError"})
"""What only somebody who signs in at the platform can mend."""

NOT_SUPPORTED_CODE = "501"
_UNSUPPORTED = replace(
    _STATES[State.AUTHORIZATION_FAILED],
    text="It is not supported yet, or not in the form that you use. Nothing was read.",
    advice="Choose another one, or see what else helps.",
    is_missing=True,
)

_CHECKING = Sentence(
    "Checking",
    "wait",
    "Checking with {platform}",
    "You were sent back as connected. We make sure of it; this takes a few seconds.",
    "If nothing changes within a minute, access was not given after all: continue with {platform}.",
    "Continue with {platform}",
)

_NOT_YET = Sentence(
    "Not connected",
    "wait",
    "{platform} is not connected yet",
    "As far as we know no access was given. This page notices by itself if it was.",
    "You can go on now, or finish later with the same link.",
    "Continue with {platform}",
)
_NOT_YET_UNSUPPORTED = replace(
    _NOT_YET, advice="Choose another one, or see what else helps.", is_missing=True
)
_NOT_GIVEN: Mapping[str | None, Sentence] = {
    "cancelled": _NOT_YET,
    "failed": _NOT_YET,
    "unsupported": _NOT_YET_UNSUPPORTED,
}

_STATUSES: Mapping[str, str] = {
    COMPLETE: "Done",
    NOT_SUPPORTED: "Not kept at {platform}",
    AUTH_ERROR: "{platform} asks you to sign in again",
    "PermissionsError": "Your login may not see this",
    "RateLimitError": "{platform} was too busy",
    "PrerequisiteNotMet": "Something else has to be read first",
    "Cancelled": "Stopped",
    "Initial": "Waiting",
    "Queued": "Waiting",
}


def of_state(
    state: State,
    platform: str,
    *,
    back: str | None = None,
    code: str | None = None,
    unread: Collection[str] = (),
) -> Sentence:
    """What ``state`` means; ``platform`` is the full name of the platform.

    ``back``: the user was just sent back as ``connected``, ``cancelled`` ..., which may be true although we
    do not know it yet. ``code``: Codat's of the newest problem. ``unread``: the statuses of the data types
    that could not be read.
    """
    found = _sentence(state, back, code, unread)

    def fill(text: str | None) -> str | None:
        return None if text is None else text.replace("{platform}", platform)

    return replace(
        found,
        title=found.title.replace("{platform}", platform),
        text=found.text.replace("{platform}", platform),
        advice=fill(found.advice),
        action=fill(found.action),
    )


def barred(said: Sentence, platform: str, by: str) -> Sentence:
    """The same where nothing can be done, because the accounting software ``by`` is connected."""
    waits = said.tone == "wait"
    return replace(
        said,
        tone="calm" if waits else said.tone,
        title=f"{platform} is not connected" if waits else said.title,
        text=one_at_a_time(by),
        advice=TO_CHANGE,
        action=None,
    )


TO_CHANGE = "To change, disconnect it under “Manage” first."


def one_at_a_time(name: str) -> str:
    """Why no other accounting software can be connected while ``name`` is."""
    return f"{name} is connected, and a company has one accounting software at a time."


def name_of(text: str) -> str:
    """A name from outside that leaves the sentence around it in order, whichever way it is written.

    Signs that turn the direction of writing are left out, and a name in a script that runs the other way
    is set apart. https://www.w3.org/International/questions/qa-bidi-unicode-controls
    """
    plain = "".join(one for one in text if one not in _TURNING)
    turns = any(unicodedata.bidirectional(one) in _LEFTWARDS for one in plain)
    return f"\u2068{plain}\u2069" if turns else plain


_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_LEFTWARDS = frozenset({"R", "AL", "AN"})


def _sentence(state: State, back: str | None, code: str | None, unread: Collection[str]) -> Sentence:
    if back == "connected" and state in (State.PENDING, State.AUTHORIZATION_FAILED):
        return _CHECKING
    if state is State.PENDING:
        return _NOT_GIVEN.get(back, _STATES[state])
    if state is State.AUTHORIZATION_FAILED and code == NOT_SUPPORTED_CODE:
        return _UNSUPPORTED
    wants_rights = not SIGN_IN_AGAIN.isdisjoint(unread)
    if state is State.READY and unread:
        return _PARTLY_READ_FOR_WANT_OF_RIGHTS if wants_rights else _PARTLY_READ
    if state is State.SYNC_FAILED and wants_rights:
        return _NOT_READ_FOR_WANT_OF_RIGHTS
    return _STATES[state]


def of_data_type(name: str) -> str:
    """``chartOfAccounts`` as ``Chart of accounts``; an unknown one by its own words."""
    if name in _DATA_TYPES:
        return _DATA_TYPES[name]
    words = _WORD.findall(name.partition("-")[2] or name)
    return " ".join(words).capitalize() or name


def of_status(status: str, platform: str) -> str:
    """The status of a dataset in a few words."""
    fallback = "Could not be read" if status in FAILED_STATUSES else "Reading"
    return _STATUSES.get(status, fallback).replace("{platform}", platform)


def group_of(source_type: str | None) -> str:
    """The group in which platforms of this source type stand: a key of ``GROUPS``."""
    return source_type if source_type is not None and source_type in GROUPS else OTHER
