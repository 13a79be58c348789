"""What a caller says of a company and may change later: validated, in its stored form. Pure."""

import json
from collections.abc import Container, Mapping, Sequence
from typing import Any, TypedDict, cast

from marshmallow import ValidationError
from marshmallow.validate import Email

from processor.delivery.email_addresses import with_ascii_domain
from processor.journey.field_checks import checked_language, checked_return, text_error
from processor.journey.models import PlatformChoice
from processor.settings import quiet_hours
from processor.settings.asked_for import AskedFor, asked_for

LONGEST_NAME = 200
LONGEST_EMAIL = 254
LONGEST_GROUP = 100
MOST_PLATFORMS = 300
LONGEST_PLATFORM_KEY = 50

CHOICES = ("shown", "hidden", "recommended")

_STORED_AS = {"name": "given_name", "state": "return_state"}

_validate_email = Email()


class CompanyDetails(TypedDict, total=False):
    """The members by their public names; ``None``: not given."""

    name: str | None
    contact_email: str | None
    return_url: str | None
    state: str | None
    brand: str | None
    asked_for: Sequence[Mapping[str, str]] | None
    platforms: Mapping[str, Sequence[str] | None] | None
    group: str | None
    language: str | None
    time_zone: str | None


def stored_fields(
    details: CompanyDetails, *, brands: Container[str], origins: Sequence[str], errors: dict[str, object]
) -> dict[str, str]:
    """The fields as they are stored; mistakes are added to ``errors`` by their public names.

    ``brands`` are the keys of the known brands, ``origins`` those to which ``return_url`` may lead.
    """
    fields: dict[str, str] = {}
    if (name := details.get("name")) is not None:
        fields["given_name"] = name
        _note(errors, "name", text_error(name, LONGEST_NAME))
    if (email := details.get("contact_email")) is not None:
        fields["contact_email"], mistake = checked_email(email)
        _note(errors, "contact_email", mistake)
    return_to = checked_return(
        details.get("return_url"), details.get("state"), origins=origins, errors=errors
    )
    if return_to is not None:
        fields["return_state"] = return_to.state or ""
        if details.get("return_url") is not None:
            fields["return_url"] = return_to.url or ""
    if (brand := details.get("brand")) is not None:
        fields["brand"] = brand
        unknown = None if brand in brands else "There is no brand with this name in BRAND_DIR."
        _note(errors, "brand", unknown)
    if language := checked_language(details.get("language"), "language", errors):
        fields["language"] = language
    if (zone := details.get("time_zone")) is not None:
        fields["time_zone"] = zone
        _note(errors, "time_zone", _zone_error(zone))
    if (group := details.get("group")) is not None:
        fields["group"] = group
        _note(errors, "group", text_error(group, LONGEST_GROUP))
    if (asked := details.get("asked_for")) is not None:
        try:
            wanted = asked_for((entry["source_type"], entry.get("need", "required")) for entry in asked)
            fields["asked_for"] = json.dumps([[entry.source_type, entry.need] for entry in wanted])
        except ValueError as error:
            errors["asked_for"] = [str(error)]
    if (platforms := details.get("platforms")) is not None:
        choice = {word: list(keys) for word, keys in platforms.items() if keys is not None}
        fields["platforms"] = json.dumps(choice)
        _note(errors, "platforms", _platforms_error(choice))
    return fields


def reset_fields(details: CompanyDetails) -> dict[str, str]:
    """Empty values for the stored fields of the members that are given as ``None``."""
    return {_STORED_AS.get(name, name): "" for name, value in details.items() if value is None}


def asked_of(row: Mapping[str, str]) -> tuple[AskedFor, ...] | None:
    """What a company is asked for by its caller; ``None`` where the settings count."""
    text = row.get("asked_for")
    return asked_for(json.loads(text)) if text else None


def products_of(row: Mapping[str, str]) -> list[str]:
    """A company's products at Codat as they are known here; empty where they are not."""
    return list(json.loads(row.get("products") or "[]"))


def platforms_of(row: Mapping[str, str]) -> PlatformChoice:
    """The choice of platforms by a company's caller."""
    choice = cast(Mapping[str, Any], json.loads(row.get("platforms") or "{}"))
    return PlatformChoice(**{word: tuple(choice[word]) for word in CHOICES if word in choice})


def _note(errors: dict[str, object], field: str, mistake: str | None) -> None:
    if mistake:
        errors[field] = [mistake]


def _zone_error(name: str) -> str | None:
    try:
        quiet_hours.parse_zone(name)
    except ValueError:
        return "Must be the name of a time zone such as Europe/Paris."
    return None


def _platforms_error(choice: Mapping[str, Sequence[str]]) -> str | None:
    for word, keys in choice.items():
        if word not in CHOICES:
            return f"Must be one of {', '.join(CHOICES)}."
        if len(keys) > MOST_PLATFORMS:
            return f"At most {MOST_PLATFORMS}."
        mistakes = (text_error(key, LONGEST_PLATFORM_KEY) for key in keys)
        if mistake := next(filter(None, mistakes), None):
            return mistake
    return None


def checked_email(text: str) -> tuple[str, str | None]:
    """The address with its domain in ASCII, and its mistake or ``None``."""
    if not is_email(text):
        return text, "Not a valid e-mail address."
    if not text.rpartition("@")[0].isascii():
        return text, "The part before the @ must be ASCII: many mail servers take nothing else."
    try:
        text = with_ascii_domain(text)
    except ValueError:
        return text, "The domain is not one that e-mail can be sent to."
    return text, None if is_email(text) else "Not a valid e-mail address."


def is_email(text: str) -> bool:
    """Whether it has the form of an e-mail address and is safe in a mail header."""
    if len(text) > LONGEST_EMAIL or not text.isprintable():
        return False
    try:
        _validate_email(text)
    except ValidationError:
        return False
    return True
