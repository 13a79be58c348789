"""Search for platforms by name, other names, banks and groups, with tolerance for typos. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from processor.codat.names import without_accents
from processor.journey.models import OTHER, PlatformView
from processor.languages.current import either, gettext, mark

GROUPS: Mapping[str, str] = {
    "Accounting": mark("Accounting software"),
    "Banking": mark("Bank accounts"),
    "Commerce": mark("Online shops and payments"),
    "Expense": mark("Expenses and cards"),
    "BankFeed": mark("Bank feeds"),
    "Other": mark("Other ways"),
}
"""Labels of the source types in the order of the pages; any other type belongs to the last group."""

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
"""Other names, as printed on invoices, of the platforms whose name begins with the key."""

_BANKS = (
    *("Allied Irish Bank", "American Express", "Amex", "Bank of America", "Bank of Ireland"),
    *("Bank of Scotland", "Barclays", "Capital One", "Chase", "Citibank", "Commerzbank", "Danske Bank"),
    *("Deutsche Bank", "First Direct", "Halifax", "HSBC", "ING", "JPMorgan Chase", "Lloyds", "Mercury"),
    *("Metro Bank", "Monzo", "N26", "Nationwide", "NatWest", "PNC", "Revolut", "Royal Bank of Scotland"),
    *("RBS", "Santander", "Starling", "TD Bank", "Tide", "TSB", "Ulster Bank", "US Bank", "Wells Fargo"),
    *("Wise", "Co-operative Bank", "BNP Paribas", "Rabobank"),
)
"""Banks are not platforms; they are reached through the platforms of the source type ``Banking``."""

_GENERIC_WORDS = frozenset(
    {"a", "account", "accounts", "bank", "banking", "business", "my", "of", "plc", "the", "uk"}
)

WordMatch = Callable[[str, str], bool]
"""Whether a word of a name matches a typed word."""

MIN_BANK_CHARS = 3
MIN_CHARS_FOR_TYPO = 4
MIN_CHARS_FOR_TWO_TYPOS = 8
MAX_WORDS = 5
MAX_WORD_CHARS = 40
MAX_NAMES_IN_HINT = 3

_WORD = re.compile(r"[^\W_]+")
_PART = re.compile(r"[A-Z][a-z]*|[a-z]+|[0-9]+")


@dataclass(frozen=True, slots=True)
class PlatformMatches:
    """Matching platforms; ``hint`` is a sentence when they are listed under another name, else ``None``."""

    platforms: list[PlatformView]
    hint: str | None = None


def normalized(text: str) -> str:
    """``text`` without case and accents, for comparisons."""
    return without_accents(text).casefold()


def group_of(source_type: str | None) -> str:
    """The group of platforms of this source type: a key of ``GROUPS``."""
    return source_type if source_type is not None and source_type in GROUPS else OTHER


def search(platforms: Sequence[PlatformView], text: str) -> PlatformMatches:
    """The platforms that ``text`` may mean, in the given order; all of them for a blank text.

    Every typed word must be part of the name or key, or begin another name or the group. If that finds
    nothing, words with one or two typos match too.
    """
    typed = [word[:MAX_WORD_CHARS] for word in _WORD.findall(normalized(text))[:MAX_WORDS]]
    if not typed:
        return PlatformMatches([] if text.strip() else list(platforms))
    named = [platform for platform in platforms if all(_is_in_name(platform, word) for word in typed)]
    for match in (_begins, _resembles):
        matches = [
            platform for platform in platforms if all(_matches(platform, word, match) for word in typed)
        ]
        banks = [] if named else _banks(typed, match)
        for_banks = [platform for platform in platforms if group_of(platform.source_type) == BANKING]
        if banks and for_banks:
            bank = banks[0] if len(banks) == 1 else gettext("Your bank")
            reached = gettext("{bank} is reached through {platforms}.").replace("{bank}", bank)
            return PlatformMatches(
                [platform for platform in platforms if platform in matches or platform in for_banks],
                reached.replace("{platforms}", _either(for_banks)),
            )
        if matches:
            is_other_name = (
                match is _begins and not named and not any(_is_in_group(matches[0], word) for word in typed)
            )
            hint = None
            if is_other_name:
                listed = gettext("“{search}” is listed as {platforms}.")
                hint = listed.replace("{platforms}", _either(matches)).replace("{search}", text.strip())
            return PlatformMatches(matches, hint)
    return PlatformMatches([])


def _is_in_name(platform: PlatformView, word: str) -> bool:
    return word in normalized(f"{platform.name} {platform.key}")


def _is_in_group(platform: PlatformView, word: str) -> bool:
    return any(_begins(group_word, word) for group_word in _group_words(platform))


def _matches(platform: PlatformView, word: str, match: WordMatch) -> bool:
    if _is_in_name(platform, word):
        return True
    return any(
        match(platform_word, word) for platform_word in (*_name_words(platform), *_group_words(platform))
    )


def _group_words(platform: PlatformView) -> list[str]:
    """The words of the group's label, in English and in the current language."""
    label = GROUPS[group_of(platform.source_type)]
    return _WORD.findall(normalized(f"{label} {gettext(label)}"))


def _name_words(platform: PlatformView) -> list[str]:
    """The words of the name and other names, and the initials: "qbo" for ``QuickBooks Online``."""
    name = normalized(platform.name)
    others = " ".join(words for beginning, words in _ALIASES.items() if name.startswith(beginning))
    initials = "".join(part[0] for part in _PART.findall(platform.name)).lower()
    return [*_WORD.findall(f"{name} {others}"), *([initials] if len(initials) > 1 else [])]


def _banks(typed: Sequence[str], match: WordMatch) -> list[str]:
    """The banks that the typed words mean, generic words such as "bank" left aside."""
    specific = [word for word in typed if word not in _GENERIC_WORDS]
    if not any(len(word) >= MIN_BANK_CHARS for word in specific):
        return []
    return [
        bank
        for bank in _BANKS
        if all(any(match(name, word) for name in _WORD.findall(normalized(bank))) for word in specific)
    ]


def _either(platforms: Sequence[PlatformView]) -> str:
    return either([platform.name for platform in platforms[:MAX_NAMES_IN_HINT]])


def _begins(word: str, typed: str) -> bool:
    return word.startswith(typed)


def _resembles(word: str, typed: str) -> bool:
    """Whether ``typed`` is ``word`` or its beginning, with one typo, or two in a long word."""
    typos = 0 if len(typed) < MIN_CHARS_FOR_TYPO else 1 if len(typed) < MIN_CHARS_FOR_TWO_TYPOS else 2
    ends = range(len(typed) - typos, min(len(word), len(typed) + typos) + 1)
    return any(_typos(word[:end], typed) <= typos for end in ends if end > 0)


def _typos(word: str, typed: str) -> int:
    """The edit distance of two words, swapped neighbours counted once (optimal string alignment)."""
    two_rows_up: list[int] = []
    row_up = list(range(len(typed) + 1))
    for row, letter in enumerate(word, start=1):
        distances = [row]
        for column, typed_letter in enumerate(typed, start=1):
            distance = min(
                row_up[column] + 1, distances[-1] + 1, row_up[column - 1] + (letter != typed_letter)
            )
            if row > 1 and column > 1 and letter == typed[column - 2] and word[row - 2] == typed_letter:
                distance = min(distance, two_rows_up[column - 2] + 1)
            distances.append(distance)
        two_rows_up, row_up = row_up, distances
    return row_up[-1]
