"""Finds environment variables whose names look like misspelled settings."""

import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches

MIN_SIMILARITY = 0.85
"""From 0 to 1; about one letter more, less or different."""

OUR_PREFIX = "CODAT_"
INTERNAL_PREFIX = "CODAT_PROCESSOR_"
"""The prefix of variables that our processes set for each other."""

MAX_LENGTH = 60
_SEPARATORS = re.compile(r"[^A-Z0-9]")


def misspelled(variables: Iterable[str], settings: Collection[str]) -> list[str]:
    """A sentence for each variable that is probably a misspelled setting.

    A variable that resembles a setting which is set too is ignored: it may belong to another program.
    """
    names = set(variables)
    by_letters = {_letters(setting): setting for setting in settings}
    sentences = []
    for name in sorted(names - set(settings)):
        if len(name) > MAX_LENGTH or name.startswith(INTERNAL_PREFIX):
            continue
        similar = get_close_matches(_letters(name), by_letters, 1, MIN_SIMILARITY)
        setting = by_letters[similar[0]] if similar else None
        if setting is not None and setting not in names:
            sentences.append(f"{name} is no setting of ours and is not read: is {setting} meant?")
        elif setting is None and name.upper().startswith(OUR_PREFIX):
            sentences.append(
                f"{name} is no setting of ours and is not read; docs/settings.md lists them all."
            )
    return sentences


def _letters(name: str) -> str:
    return _SEPARATORS.sub("", name.upper())
