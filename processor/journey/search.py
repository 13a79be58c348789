"""Searching the platforms as people type: other names, banks, a group's name, a slip of the finger. Pure."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from processor.journey.models import PlatformView

GROUPS: Mapping[str, str] = {
    "Accounting": "Accounting software",
    "Banking": "Bank accounts",
    "Commerce": "Online shops and payments",
    "Expense": "Expenses and cards",
    "BankFeed": "Bank feeds",
    "Other": "Other ways",
}
"""Source types in the order of the pages; whatever is none of these stands with the last."""

OTHER = "Other"
BANKING = "Banking"

_ALIASES: Mapping[str, str] = {
    "quickbooks online": "qbo intuit quick books",
    "quickbooks desktop": "qbd qbdt intuit quick books",
    "sage business cloud": "sage one accounting",
    "sage 50": "sage fifty peachtree line50",
    "sage intacct": "intaact",
    "oracle netsuite": "net suite",
    "microsoft dynamics": "d365 navision nav bc business central",
    "freeagent": "free agent",
    "myob": "accountright essentials",
    "zoho": "zohobooks",
    "exact": "exactonline",
    "square": "squareup block",
    "stripe": "card payments",
    "zettle": "izettle paypal",
    "woocommerce": "woo wordpress",
    "magento": "adobe commerce",
    "amazon": "marketplace fba seller",
    "ebay": "marketplace",
    "etsy": "marketplace",
    "plaid": "open banking",
    "truelayer": "true layer open banking",
    "file upload": "csv excel spreadsheet pdf",
    "accounting file upload": "csv excel spreadsheet pdf",
}
"""Other names of platforms whose own name begins like this; people type what stands on their invoice."""

_BANKS = (
    *("Allied Irish Bank", "American Express", "Amex", "Bank of America", "Bank of Ireland"),
    *("Bank of Scotland", "Barclays", "Capital One", "Chase", "Citibank", "Commerzbank", "Danske Bank"),
    *("Deutsche Bank", "First Direct", "Halifax", "HSBC", "ING", "JPMorgan Chase", "Lloyds", "Mercury"),
    *("Metro Bank", "Monzo", "N26", "Nationwide", "NatWest", "PNC", "Revolut", "Royal Bank of Scotland"),
    *("RBS", "Santander", "Starling", "TD Bank", "Tide", "TSB", "Ulster Bank", "US Bank", "Wells Fargo"),
    *("Wise", "Co-operative Bank", "BNP Paribas", "Rabobank"),
)
"""Banks are no platforms: those of the source type ``Banking`` lead to them."""

_NOT_TELLING = frozenset(
    {"a", "account", "accounts", "bank", "banking", "business", "my", "of", "plc", "the", "uk"}
)

Alike = Callable[[str, str], bool]
"""Whether a word of ours is meant by one that was typed."""

SHORTEST_OF_BANK = 3
SHORTEST_WITH_SLIP = 4
SHORTEST_WITH_TWO_SLIPS = 8
MOST_WORDS = 5
LONGEST_WORD = 40
MOST_NAMED = 3

_WORD = re.compile(r"[^\W_]+")
_PART = re.compile(r"[A-Z][a-z]*|[a-z]+|[0-9]+")


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found; ``hint`` is a sentence where it is listed under another name, else ``None``."""

    platforms: list[PlatformView]
    hint: str | None = None


def plain(text: str) -> str:
    """``text`` without case and accents, for comparisons."""
    return "".join(
        one for one in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(one)
    )


def group_of(source_type: str | None) -> str:
    """The group in which platforms of this source type stand: a key of ``GROUPS``."""
    return source_type if source_type is not None and source_type in GROUPS else OTHER


def search(platforms: Sequence[PlatformView], text: str) -> Found:
    """The platforms that people may mean who type ``text``, in the order given; all for a blank text.

    Every word has to be part of the name or the key, or to begin another name or the group. What is found
    in no other way is looked for with a letter or two wrong.
    """
    wanted = [word[:LONGEST_WORD] for word in _WORD.findall(plain(text))[:MOST_WORDS]]
    if not wanted:
        return Found([] if text.strip() else list(platforms))
    for alike in (_begins, _resembles):
        named = [one for one in platforms if all(_is_named(one, word) for word in wanted)]
        found = [one for one in platforms if all(_is_meant(one, word, alike) for word in wanted)]
        banks = [] if named else _banks(wanted, alike)
        if banks:
            reached = [one for one in platforms if group_of(one.source_type) == BANKING]
            if reached:
                both = [one for one in platforms if one in found or one in reached]
                bank = banks[0] if len(banks) == 1 else "Your bank"
                return Found(both, f"{bank} is reached through {_either(reached)}.")
        if found:
            other_name = (
                alike is _begins and not named and not any(_is_grouped(found[0], one) for one in wanted)
            )
            hint = f"“{text.strip()}” is listed as {_either(found)}." if other_name else None
            return Found(found, hint)
    return Found([])


def _is_named(platform: PlatformView, word: str) -> bool:
    return word in plain(f"{platform.name} {platform.key}")


def _is_grouped(platform: PlatformView, word: str) -> bool:
    return any(_begins(one, word) for one in _group_words(platform))


def _is_meant(platform: PlatformView, word: str, alike: Alike) -> bool:
    if _is_named(platform, word):
        return True
    return any(alike(one, word) for one in (*_names(platform), *_group_words(platform)))


def _group_words(platform: PlatformView) -> list[str]:
    return _WORD.findall(plain(GROUPS[group_of(platform.source_type)]))


def _names(platform: PlatformView) -> list[str]:
    """The words of its name and other names, and its initials: ``QuickBooks Online`` is "qbo" too."""
    name = plain(platform.name)
    others = " ".join(words for begin, words in _ALIASES.items() if name.startswith(begin))
    initials = "".join(part[0] for part in _PART.findall(platform.name)).lower()
    return [*_WORD.findall(f"{name} {others}"), *([initials] if len(initials) > 1 else [])]


def _banks(wanted: Sequence[str], alike: Alike) -> list[str]:
    """The banks that are meant; not those of which only "bank" or the like was typed."""
    telling = [word for word in wanted if word not in _NOT_TELLING]
    if not any(len(word) >= SHORTEST_OF_BANK for word in telling):
        return []
    return [
        bank
        for bank in _BANKS
        if all(any(alike(one, word) for one in _WORD.findall(plain(bank))) for word in telling)
    ]


def _either(platforms: Sequence[PlatformView]) -> str:
    names = [one.name for one in platforms[:MOST_NAMED]]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _begins(word: str, typed: str) -> bool:
    return word.startswith(typed)


def _resembles(word: str, typed: str) -> bool:
    """Whether ``typed`` is ``word``, or its beginning, with one slip, or two in a long word."""
    slips = 0 if len(typed) < SHORTEST_WITH_SLIP else 1 if len(typed) < SHORTEST_WITH_TWO_SLIPS else 2
    ends = range(len(typed) - slips, min(len(word), len(typed) + slips) + 1)
    return any(_slips(word[:end], typed) <= slips for end in ends if end > 0)


def _slips(word: str, typed: str) -> int:
    """Letters that are wrong, missing, too many, or in the other order (optimal string alignment)."""
    before: list[int] = []
    above = list(range(len(typed) + 1))
    for row, letter in enumerate(word, start=1):
        here = [row]
        for column, sign in enumerate(typed, start=1):
            best = min(above[column] + 1, here[-1] + 1, above[column - 1] + (letter != sign))
            if row > 1 and column > 1 and letter == typed[column - 2] and word[row - 2] == sign:
                best = min(best, before[column - 2] + 1)
            here.append(best)
        before, above = above, here
    return above[-1]
