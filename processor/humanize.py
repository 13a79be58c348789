"""Formats times, durations, counts and data types for people. Pure."""

import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from processor.clock import from_iso
from processor.languages.current import gettext, mark

_SPANS = (
    ("d", timedelta(days=2), 86_400),
    ("h", timedelta(hours=2), 3_600),
    ("min", timedelta(minutes=2), 60),
)

_DATA_TYPES: Mapping[str, str] = {
    "chartOfAccounts": mark("Chart of accounts"),
    "company": mark("Company details"),
    "banking-accounts": mark("Bank accounts"),
    "banking-accountBalances": mark("Account balances"),
    "banking-transactions": mark("Bank transactions"),
    "banking-transactionCategories": mark("Transaction categories"),
    "profitAndLoss": mark("Profit and loss"),
    "balanceSheet": mark("Balance sheet"),
    "cashFlowStatement": mark("Cash flow statement"),
}

_SPLIT_NAMES = (
    *(mark("Account transactions"), mark("Bank transactions"), mark("Bill credit notes")),
    *(mark("Bill payments"), mark("Bills"), mark("Company info"), mark("Credit notes"), mark("Customers")),
    *(
        mark("Direct costs"),
        mark("Direct incomes"),
        mark("Disputes"),
        mark("Invoices"),
        mark("Item receipts"),
    ),
    *(mark("Items"), mark("Journal entries"), mark("Journals"), mark("Locations"), mark("Orders")),
    *(mark("Payment methods"), mark("Payments"), mark("Product categories"), mark("Products")),
    *(mark("Purchase orders"), mark("Sales orders"), mark("Suppliers"), mark("Tax components")),
    *(mark("Tax rates"), mark("Tracking categories"), mark("Transactions"), mark("Transfers")),
)
"""Data types of Codat whose names are split into words: https://docs.codat.io/core-concepts/data-type-settings"""

_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")


def date(moment: str | datetime) -> str:
    """``22 Nov 2026, 15:04:05 UTC``; a text that is not a time is returned as it is."""
    try:
        at = moment if isinstance(moment, datetime) else from_iso(moment)
    except ValueError:
        return str(moment)
    return f"{at.day} {at:%b %Y, %H:%M:%S} UTC"


def ago(moment: str | datetime, now: datetime) -> str:
    """``3 min ago``, ``in 2 h``, ``just now``; empty for a text that is not a time."""
    try:
        at = moment if isinstance(moment, datetime) else from_iso(moment)
    except ValueError:
        return ""
    seconds = (now - at).total_seconds()
    text = span(abs(seconds))
    if text == span(0):
        return "just now"
    return f"{text} ago" if seconds > 0 else f"in {text}"


def span(seconds: float) -> str:
    """``45 s``, ``12 min``, ``5 h``, ``3 d``."""
    for unit, least, length in _SPANS:
        if seconds >= least.total_seconds():
            return f"{math.floor(seconds / length)} {unit}"
    return f"{math.floor(seconds)} s"


def number(count: int, singular: str, plural: str) -> str:
    """``1 message``, ``3 messages``."""
    return f"{count:,} {singular if count == 1 else plural}"


def data_type(name: str) -> str:
    """``chartOfAccounts`` as ``Chart of accounts``, in the current language.

    An unknown name is split into words.
    """
    if name in _DATA_TYPES:
        return gettext(_DATA_TYPES[name])
    words = _WORD.findall(name.partition("-")[2] or name)
    label = " ".join(words).capitalize()
    return gettext(label) if label else name


def printable_line(text: object) -> str:
    """Foreign text as a single line, without characters that cannot be shown, such as marks of direction."""
    return " ".join("".join(char if char.isprintable() else " " for char in str(text or "")).split())
