"""Histories of up to ten changes, ordinary reads included, built from a tape."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from handlers.events import LinkStatus
from tests.handlers.support.codat_history import BASE, INITIAL_READS, Change, Did, allowed, status_after
from tests.handlers.support.tape import Tape

GAPS_S = (40.0, 5.0, 3.0, 250.5, 1300.0, 2.2, 9000.0, 200_000.0, 61.007, 15.0, 0.8)
"""Between two changes. The last is closer than Codat's ``Date`` header can tell."""

WIDE_GAPS_S = tuple(gap for gap in GAPS_S if gap >= 5)

LONG_GAPS_S = tuple(gap for gap in GAPS_S if gap >= 200)
"""Each state lasts longer than an alert is tried and Codat's API lags."""


def sampled_history(tape: Tape, most: int = 10, gaps_s: Sequence[float] = GAPS_S) -> list[Change]:
    """A history of up to ``most`` changes, ordinary reads included."""
    changes: list[Change] = []
    status: LinkStatus | None = LinkStatus.PENDING
    at = BASE
    length = tape.number(most) + 1
    while len(changes) < length and status is not None:
        options = allowed(status, is_first=not changes, ordinary_reads=True)
        did = tape.choice(options)
        if did is Did.DELETED and tape.number(3):
            did = options[0]  # or most histories would be short
        at += timedelta(seconds=tape.choice(gaps_s))
        types = INITIAL_READS.get(did, ())
        if did is Did.READ_MORE:
            types = (("payments", tape.choice(("Complete", "FetchError"))),)
        changes.append(Change(did, at, types))
        status = status_after(status, did)
    return _without_late_success(changes)


def _without_late_success(changes: Sequence[Change]) -> list[Change]:
    """Let ordinary reads fail in an authorisation with a first read that brought nothing.

    Codat's history does not say which reads were initial: its answer could otherwise rightly differ from
    the messages about whether the first sync succeeded.
    """
    authorization = 0
    numbers = []
    for change in changes:
        authorization += change.did in (Did.LINKED, Did.RELINKED)
        numbers.append(authorization)
    in_vain = {number for number, change in zip(numbers, changes, strict=True) if change.did is Did.READ_NONE}
    failing = (("payments", "FetchError"),)
    return [
        replace(change, types=failing) if change.did is Did.READ_MORE and number in in_vain else change
        for number, change in zip(numbers, changes, strict=True)
    ]
