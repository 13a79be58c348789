"""What a company is asked to connect: source types in order, each required or optional. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

SOURCE_TYPES = ("Accounting", "Banking", "BankFeed", "Commerce", "Expense", "Other")
"""The source types of Codat that can be asked for."""


class Need(StrEnum):
    """How much something is needed."""

    REQUIRED = "required"
    OPTIONAL = "optional"


@dataclass(frozen=True, slots=True)
class AskedFor:
    """A source type that is asked for. Types that are not asked for are not offered."""

    source_type: str
    need: Need


def asked_for(pairs: Iterable[tuple[str, str]]) -> tuple[AskedFor, ...]:
    """Source types, in any case, each with its need; raises ``ValueError`` with a sentence."""
    spellings = {source_type.casefold(): source_type for source_type in SOURCE_TYPES}
    asked: dict[str, AskedFor] = {}
    for text, need in pairs:
        source_type = spellings.get(text.strip().casefold())
        if source_type is None:
            raise ValueError(f"A source type must be one of {', '.join(SOURCE_TYPES)}.")
        if need not in tuple(Need):
            raise ValueError(f"It must be {' or '.join(Need)}.")
        if source_type in asked:
            raise ValueError(f"{source_type} is named twice.")
        asked[source_type] = AskedFor(source_type, Need(need))
    return tuple(asked.values())


def parse(text: str) -> tuple[AskedFor, ...]:
    """A comma-separated list such as ``accounting,banking:optional``; raises ``ValueError``."""
    entries = [entry.strip().partition(":") for entry in text.split(",") if entry.strip()]
    return asked_for((name, need.strip().lower() or Need.REQUIRED) for name, _, need in entries)
