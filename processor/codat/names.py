"""Names, paths and queries as Codat accepts them."""

import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import quote

from processor.errors import CodatRefused, Invalid

FALLBACK_NAME = "Company"

MAX_SEGMENT_CHARS = 200

SOURCE_TYPES = ("Accounting", "Banking", "BankFeed", "Commerce", "Expense", "Other", "Unknown")

_ALLOWED = re.compile(r"[A-Za-z0-9\s\-',&@.,?!]+", re.ASCII)
_SEPARATORS = re.compile(r"[_:/\\|+#;=~*]")
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9\s\-',&@.?!]", re.ASCII)
_TRANSLITERATION = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201b\u02b9\u02bc\u2032\uff07\u00b4`", "'"),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
        **{"œ": "oe", "Œ": "Oe", "æ": "ae", "Æ": "Ae", "ß": "ss", "ẞ": "Ss", "ø": "o", "Ø": "O"},
        **{"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "\u0131": "i"},
    }
)
"""Letters and signs without a Unicode decomposition."""

_WITHOUT_OPERATORS = re.compile(r"[^&|=!~<>(){}\[\],;\"'`\\%?*$]+")


def company_name(name: str | None, merchant_id: str) -> str:
    """The name of a merchant's company at Codat.

    If less than half of the letters of the name are Latin, the merchant id is used instead, as Codat advises.
    """
    cleaned = _cleaned(name or "")
    is_recognisable = cleaned and 2 * _letter_count(cleaned) >= _letter_count(name or "")
    return cleaned if is_recognisable else codat_name(merchant_id)


def _letter_count(text: str) -> int:
    return sum(char.isalpha() for char in unicodedata.normalize("NFC", text))


def codat_name(text: str) -> str:
    """``text`` as a company name that Codat accepts: unchanged if it matches, else cleaned, never blank.

    Codat's pattern is ``^[A-Za-z0-9\\s\\-',&@.,?!\\s]+$``: no accents, no underscore, no colon. Names
    need not be unique: the merchant id is a tag, and this service keeps the given name.
    """
    return _cleaned(text) or FALLBACK_NAME


def _cleaned(text: str) -> str:
    if _ALLOWED.fullmatch(text) and text.strip():
        return text
    spaced = _NOT_ALLOWED.sub(" ", _SEPARATORS.sub("-", without_accents(text)))
    return " ".join(spaced.split()).strip("-', ")


def without_accents(text: str) -> str:
    """``text`` in unaccented letters: ``Söhne`` becomes ``Sohne``, ``Ørsted`` ``Orsted``."""
    characters = unicodedata.normalize("NFKD", text.translate(_TRANSLITERATION))
    return "".join(character for character in characters if not unicodedata.combining(character))


def path_of(segments: Sequence[str]) -> str:
    """The path of ``segments``, each quoted completely, so that none leads to another call.

    Raises ``CodatRefused`` for a segment that is empty, dots alone, too long or not UTF-8. Quoting would not
    prevent a proxy from resolving dots.
    """
    quoted = []
    for segment in segments:
        try:
            text = quote(segment, safe="")
        except UnicodeEncodeError:
            text = ""
        if not text or not segment.strip(". \t\r\n") or len(segment) > MAX_SEGMENT_CHARS:
            raise CodatRefused(400, None, "That cannot be an id of Codat's; nothing was asked.")
        quoted.append(text)
    return "/" + "/".join(quoted)


def tag_filter(name: str, value: str) -> str | None:
    """Codat's filter for companies whose tag ``name`` is ``value``; ``None`` if no filter can express it.

    It may match more companies, never fewer: of a value with operators of the query language, the filter
    has only the longest part without them. https://docs.codat.io/using-the-api/querying
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name, re.ASCII):
        return None
    if _WITHOUT_OPERATORS.fullmatch(value) and value == value.strip():
        return f"{name}={value}"
    longest = max((part.strip() for part in _WITHOUT_OPERATORS.findall(value)), key=len, default="")
    return f"{name}~{longest}" if longest else None


def source_type_of(text: str) -> str:
    """A source type, given in any case, in Codat's spelling. Raises ``Invalid``."""
    for source_type in SOURCE_TYPES:
        if source_type.lower() == text.strip().lower():
            return source_type
    allowed = ", ".join(SOURCE_TYPES)
    raise Invalid(errors={"source_type": [f"Must be one of {allowed}."]})
