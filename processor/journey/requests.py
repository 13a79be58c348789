"""Requests of callers, validated before Codat is called. Pure.

Limits of tags: https://docs.codat.io/platform-api#/operations/create-company
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Unpack

from handlers.events import MERCHANT_TAG
from processor.codat.names import company_name
from processor.errors import Invalid
from processor.journey.company_fields import LONGEST_PLATFORM_KEY, CompanyDetails, reset_fields, stored_fields
from processor.journey.field_checks import checked_language, text_error

MOST_TAGS = 10
"""Including ``merchantId``."""

LONGEST_TAG_KEY = 27
LONGEST_TAG_VALUE = 100
MOST_PRODUCTS = 20
LONGEST_PRODUCT = 100
MOST_PARAMETERS = 20
LONGEST_PARAMETER = 500


@dataclass(frozen=True, slots=True)
class SignUpRequest:
    """A sign-up in Codat's form: ``tags`` with the merchant's id, ``name`` in Codat's characters.

    Without ``products`` the company gets those of CODAT_PRODUCTS, else the Codat client's defaults.
    ``local_fields`` are stored here and not sent to Codat.
    """

    merchant_id: str
    name: str
    tags: Mapping[str, str]
    products: tuple[str, ...] = ()
    local_fields: Mapping[str, str] = field(default_factory=dict, repr=False)


def sign_up_request(
    *,
    merchant_id: str,
    tags: Mapping[str, str] | None = None,
    products: Sequence[str] | None = None,
    lang: str | None = None,
    brands: Container[str] = (),
    origins: Sequence[str] = (),
    **details: Unpack[CompanyDetails],
) -> SignUpRequest:
    """The validated sign-up; raises :class:`Invalid` with the mistakes of every field.

    ``origins`` are those to which ``return_url`` may lead; ``brands`` are the keys of the known ones.
    """
    errors: dict[str, object] = {}
    if error := text_error(merchant_id, LONGEST_TAG_VALUE):
        errors["merchant_id"] = [error]
    if tag_mistakes := tag_errors(tags or {}, merchant_id):
        errors["tags"] = tag_mistakes
    if product_mistakes := product_errors(products or ()):
        errors["products"] = product_mistakes
    checked_language(lang, "lang", errors)
    local_fields = stored_fields(details, brands=brands, origins=origins, errors=errors)
    if errors:
        raise Invalid(errors=errors)
    return SignUpRequest(
        merchant_id,
        company_name(details.get("name"), merchant_id),
        {**(tags or {}), MERCHANT_TAG: merchant_id},
        products=tuple(products or ()),
        local_fields=local_fields,
    )


def changed_fields(
    details: CompanyDetails, *, brands: Container[str], origins: Sequence[str]
) -> dict[str, str]:
    """The stored fields that a change sets; ``None`` resets one. Raises :class:`Invalid`."""
    errors: dict[str, object] = {}
    fields = stored_fields(details, brands=brands, origins=origins, errors=errors)
    if errors:
        raise Invalid(errors=errors)
    return {**fields, **reset_fields(details)}


def product_errors(products: Sequence[str]) -> list[str]:
    """The mistakes in the identifiers of products."""
    if len(products) > MOST_PRODUCTS:
        return [f"At most {MOST_PRODUCTS}."]
    errors = (text_error(product, LONGEST_PRODUCT) for product in products)
    return list(dict.fromkeys(error for error in errors if error))


def tag_errors(tags: Mapping[str, str], merchant_id: str) -> list[str] | dict[str, list[str]] | None:
    """The mistakes in the tags: by tag, else for all of them; ``None`` without one."""
    errors: dict[str, list[str]] = {}
    for key, value in tags.items():
        if error := text_error(key, LONGEST_TAG_KEY):
            errors[key] = [f"The key: {error}"]
        elif key == MERCHANT_TAG:
            if value != merchant_id:
                errors[key] = ["Stands for merchant_id; leave it out."]
        elif error := text_error(value, LONGEST_TAG_VALUE):
            errors[key] = [error]
    if errors:
        return errors
    count = len({*tags, MERCHANT_TAG})
    if count > MOST_TAGS:
        return [f"At most {MOST_TAGS} tags, of which {MERCHANT_TAG} is one; these are {count}."]
    return None


def link_parameters(parameters: Mapping[str, str] | None, lang: str | None = None) -> dict[str, str]:
    """The validated query parameters to add to a link, with ``lang``; raises :class:`Invalid`."""
    parameters = dict(parameters or {})
    errors: dict[str, object] = {}
    language = checked_language(lang, "lang", errors)
    if errors:
        raise Invalid(errors=errors)
    if language is not None:
        parameters["lang"] = language
    if len(parameters) > MOST_PARAMETERS:
        raise Invalid(errors={"parameters": [f"At most {MOST_PARAMETERS}."]})
    for name, value in parameters.items():
        error = text_error(name, LONGEST_PARAMETER) or text_error(value, LONGEST_PARAMETER)
        if error:
            raise Invalid(errors={"parameters": {name: [error]}})
    return parameters


def check_platform_key(platform_key: str) -> None:
    """Raise :class:`Invalid` for a text that cannot be a platform's key."""
    if error := text_error(platform_key, LONGEST_PLATFORM_KEY):
        raise Invalid(errors={"platform_key": [error]})
