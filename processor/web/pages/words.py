"""What the pages say: Codat's values and our states in the words of somebody who keeps a shop. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

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
    of the button that leads to the platform, ``None`` where there is nothing to do there.
    """

    badge: str
    tone: str
    title: str
    text: str
    advice: str | None = None
    action: str | None = None


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

_CHECKING = Sentence(
    "Checking",
    "wait",
    "Checking with {platform}",
    "You were sent back as connected. We make sure of it; this takes a few seconds.",
    "If nothing changes within a minute, access was not given after all: continue with {platform}.",
    "Continue with {platform}",
)

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


def of_state(state: State, platform: str, *, just_back: bool = False) -> Sentence:
    """What ``state`` means; ``platform`` is the full name of the platform.

    ``just_back``: the user was sent back as connected, which may be true although we do not know it yet.
    """
    waits = state in (State.PENDING, State.AUTHORIZATION_FAILED)
    found = _CHECKING if just_back and waits else _STATES[state]

    def fill(text: str | None) -> str | None:
        return None if text is None else text.replace("{platform}", platform)

    return Sentence(
        found.badge,
        found.tone,
        found.title.replace("{platform}", platform),
        found.text.replace("{platform}", platform),
        fill(found.advice),
        fill(found.action),
    )


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
