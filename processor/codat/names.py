"""Names, ids and queries as Codat accepts them."""

import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import quote

from processor.errors import CodatRefused, Invalid

FALLBACK_NAME = "Company"

MAX_SEGMENT_CHARS = 200

SOURCE_TYPES = ("Accounting", "Banking", "BankFeed", "Commerce", "Expense", "Other", "Unknown")

_FITTING = re.compile(r"[A-Za-z0-9\s\-',&@.,?!]+", re.ASCII)
_SEPARATORS = re.compile(r"[_:/\\|+#;=~*]")
_UNFIT = re.compile(r"[^A-Za-z0-9\s\-',&@.?!]", re.ASCII)
_SPELT = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201b\u02b9\u02bc\u2032\uff07\u00b4`", "'"),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
        **{"œ": "oe", "Œ": "Oe", "æ": "ae", "Æ": "Ae", "ß": "ss", "ẞ": "Ss", "ø": "o", "Ø": "O"},
        **{"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "\u0131": "i"},
    }
)
"""Letters and signs of names that Unicode does not take apart."""

_PLAIN = re.compile(r"[^&|=!~<>(){}\[\],;\"'`\\%?*$]+")


def company_name(name: str | None, merchant_id: str) -> str:
    """What the company of a merchant is called at Codat.

    A name of which less than half of the letters can be written there, for they are not Latin, would tell
    nobody anything: the merchant's id stands for it, as Codat advises anyway.
    """
    made = _cleaned(name or "")
    is_told = made and 2 * _letters(made) >= _letters(name or "")
    return made if is_told else codat_name(merchant_id)


def _letters(text: str) -> int:
    return sum(one.isalpha() for one in unicodedata.normalize("NFC", text))


def codat_name(text: str) -> str:
    """``text`` as Codat accepts it for a company's name; as it is where it fits, else cleaned, never blank.

    Codat's pattern is ``^[A-Za-z0-9\\s\\-',&@.,?!\\s]+$``: no accents, no underscore, no colon. Names
    need not be unique: the merchant id travels as a tag, and the name as it was given is kept here.
    """
    return _cleaned(text) or FALLBACK_NAME


def _cleaned(text: str) -> str:
    if _FITTING.fullmatch(text) and text.strip():
        return text
    parts = unicodedata.normalize("NFKD", text.translate(_SPELT))
    plain = "".join(one for one in parts if not unicodedata.combining(one))
    spaced = _UNFIT.sub(" ", _SEPARATORS.sub("-", plain))
    return " ".join(spaced.split()).strip("-', ")


def path_of(segments: Sequence[str]) -> str:
    """The path made of ``segments``, each quoted whole, so that none can lead to another call.

    Raises ``CodatRefused`` for one that no id of Codat's can be: empty, ``.``, ``..``, too long or
    not writable as UTF-8. Quoting would not keep dots from being resolved on the way.
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


def query_of(parameters: Sequence[tuple[str, str | int]]) -> str:
    """A query string in which everything but letters, digits and ``-._~`` is percent-encoded."""
    return "&".join(f"{name}={quote(str(value), safe='', errors='replace')}" for name, value in parameters)


def tag_filter(name: str, value: str) -> str | None:
    """Codat's filter for companies whose tag ``name`` is ``value``; ``None`` where none can be written.

    It may find more than wanted, never less: of a value in which Codat's query language would
    see operators, only the longest plain part is asked for. https://docs.codat.io/using-the-api/querying
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name, re.ASCII):
        return None
    if _PLAIN.fullmatch(value) and value == value.strip():
        return f"{name}={value}"
    longest = max((part.strip() for part in _PLAIN.findall(value)), key=len, default="")
    return f"{name}~{longest}" if longest else None


def source_type_of(text: str) -> str:
    """A source type as Codat spells it, from any case; raises ``Invalid`` for one that it does not have."""
    for known in SOURCE_TYPES:
        if known.lower() == text.strip().lower():
            return known
    allowed = ", ".join(SOURCE_TYPES)
    raise Invalid(errors={"source_type": [f"Must be one of {allowed}."]})
