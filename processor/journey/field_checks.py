"""Checks of the texts and addresses that callers give. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from processor.languages import catalogues
from processor.settings import web_addresses

LONGEST_STATE = 500
LONGEST_LANGUAGE = 35


@dataclass(frozen=True, slots=True)
class ReturnTo:
    """Where a caller wants the user back: an address in its normal form, and the caller's own ``state``."""

    url: str | None
    state: str | None = field(default=None, repr=False)


def checked_return(
    return_url: str | None, state: str | None, *, origins: Sequence[str], errors: dict[str, object]
) -> ReturnTo | None:
    """The caller's way back; ``None`` when it gives none. Mistakes are added to ``errors`` by field.

    ``origins`` are those to which ``return_url`` may lead.
    """
    url = None
    if return_url is not None:
        try:
            address = web_addresses.parse(return_url)
            if address.origin not in origins:
                raise ValueError(f"{address.origin} is not in RETURN_URL_ORIGINS.")
            url = str(address)
        except ValueError as mistake:
            errors["return_url"] = [str(mistake)]
    if state is not None and (mistake_in_state := text_error(state, LONGEST_STATE)):
        errors["state"] = [mistake_in_state]
    return None if return_url is None and state is None else ReturnTo(url, state)


def checked_language(tag: str | None, field_name: str, errors: dict[str, object]) -> str | None:
    """The language for a caller's tag, ``None`` without one; a mistake is added to ``errors`` by field."""
    language = catalogues.match(tag)
    if tag is not None and language is None:
        errors[field_name] = [f"Must be one of {', '.join(catalogues.LANGUAGES)}."]
    return language


def text_error(text: str, longest: int) -> str | None:
    """What is wrong with a text that is one printable line, or ``None``."""
    if not text.strip():
        return "Must not be empty."
    if len(text) > longest:
        return f"Longer than {longest} characters."
    if not text.isprintable():
        return "Has a character that cannot be shown."
    if text != text.strip():
        return "Begins or ends with a space."
    return None
