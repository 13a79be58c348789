"""Formats times, durations, counts and data types for people. Pure."""

import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from processor.clock import from_iso

_SPANS = (
    ("d", timedelta(days=2), 86_400),
    ("h", timedelta(hours=2), 3_600),
    ("min", timedelta(minutes=2), 60),
)

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
    """``chartOfAccounts`` as ``Chart of accounts``; an unknown name is split into words."""
    if name in _DATA_TYPES:
        return _DATA_TYPES[name]
    words = _WORD.findall(name.partition("-")[2] or name)
    return " ".join(words).capitalize() or name
