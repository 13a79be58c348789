"""Names of environment variables that look like one of our settings and are none."""

import re
from collections.abc import Collection, Iterable
from difflib import SequenceMatcher

NEAR = 0.85
"""How alike two names must be, 0 to 1: a letter more, less, or other."""

OURS = "CODAT_"
INTERNAL = "CODAT_PROCESSOR_"
"""Variables by which our own processes talk to each other begin so."""

LONGEST = 60
_NO_LETTER = re.compile(r"[^A-Z0-9]")


def mistyped(given: Iterable[str], settings: Collection[str]) -> list[str]:
    """A sentence for each name in ``given`` that is meant for us, as far as we can tell, and is no setting.

    One that is near a setting which is given as well is left alone: it may be another program's.
    """
    names = set(given)
    found = []
    for name in sorted(names - set(settings)):
        if len(name) > LONGEST or name.startswith(INTERNAL):
            continue
        meant = _nearest(name, settings)
        if meant is not None and meant not in names:
            found.append(f"{name} is no setting of ours and is not read: is {meant} meant?")
        elif meant is None and name.upper().startswith(OURS):
            found.append(f"{name} is no setting of ours and is not read; docs/settings.md lists them all.")
    return found


def _nearest(name: str, settings: Collection[str]) -> str | None:
    """The setting that ``name`` is nearly; ``None`` where it is near none."""
    bare = _bare(name)
    likeness, nearest = max((_likeness(bare, _bare(one)), one) for one in settings)
    return nearest if likeness >= NEAR else None


def _likeness(one: str, other: str) -> float:
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.ratio() if matcher.real_quick_ratio() >= NEAR else 0.0


def _bare(name: str) -> str:
    return _NO_LETTER.sub("", name.upper())
