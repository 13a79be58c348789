"""Requests of callers, validated before Codat is called. Pure.

Limits of tags: https://docs.codat.io/platform-api#/operations/create-company
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from marshmallow import ValidationError
from marshmallow.validate import Email

from handlers.events import MERCHANT_TAG
from processor.codat.names import company_name
from processor.delivery.email_addresses import with_ascii_domain
from processor.errors import Invalid
from processor.settings import web_addresses

MOST_TAGS = 10
"""Including ``merchantId``."""

LONGEST_TAG_KEY = 27
LONGEST_TAG_VALUE = 100
MOST_PRODUCTS = 20
LONGEST_PRODUCT = 100
LONGEST_NAME = 200
LONGEST_EMAIL = 254
LONGEST_PLATFORM_KEY = 50
MOST_PARAMETERS = 20
LONGEST_PARAMETER = 500
LONGEST_STATE = 500

_validate_email = Email()


@dataclass(frozen=True, slots=True)
class ReturnTo:
    """Where a caller wants the user back: an address in its normal form, and the caller's own ``state``."""

    url: str | None
    state: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SignUpRequest:
    """A sign-up in Codat's form: ``tags`` with the merchant's id, ``name`` in Codat's characters.

    Without ``products`` the company gets those of CODAT_PRODUCTS, else the Codat client's defaults.
    ``given_name``, ``contact_email``, its domain in ASCII, and ``return_to`` are not sent to Codat; ``None``:
    not given.
    """

    merchant_id: str
    name: str
    tags: Mapping[str, str]
    contact_email: str | None = field(repr=False)
    given_name: str | None = field(default=None, repr=False)
    products: tuple[str, ...] = ()
    return_to: ReturnTo | None = None
    brand: str | None = None

    @property
    def local_fields(self) -> dict[str, str]:
        """The given fields that are stored here and not sent to Codat."""
        fields = {"contact_email": self.contact_email, "given_name": self.given_name, "brand": self.brand}
        if self.return_to is not None:
            fields |= {"return_url": self.return_to.url or "", "return_state": self.return_to.state or ""}
        return {name: value for name, value in fields.items() if value is not None}


def sign_up_request(
    *,
    merchant_id: str,
    name: str | None,
    contact_email: str | None,
    tags: Mapping[str, str] | None,
    products: Sequence[str] | None = None,
    return_url: str | None = None,
    state: str | None = None,
    brand: str | None = None,
    brands: Container[str] = (),
    origins: Sequence[str] = (),
) -> SignUpRequest:
    """The validated sign-up; raises :class:`Invalid` with the mistakes of every field.

    ``origins`` are those to which ``return_url`` may lead; ``brands`` are the keys of the known ones.
    """
    errors: dict[str, object] = {}
    if error := text_error(merchant_id, LONGEST_TAG_VALUE):
        errors["merchant_id"] = [error]
    if name is not None and (error := text_error(name, LONGEST_NAME)):
        errors["name"] = [error]
    if contact_email is not None:
        contact_email, error = _contact(contact_email)
        if error:
            errors["contact_email"] = [error]
    all_tags = {**(tags or {}), MERCHANT_TAG: merchant_id}
    if tag_mistakes := tag_errors(tags or {}, merchant_id):
        errors["tags"] = tag_mistakes
    if product_mistakes := product_errors(products or ()):
        errors["products"] = product_mistakes
    return_to = checked_return(return_url, state, origins=origins, errors=errors)
    if brand is not None and brand not in brands:
        errors["brand"] = ["There is no brand with this name in BRAND_DIR."]
    if errors:
        raise Invalid(errors=errors)
    return SignUpRequest(
        merchant_id,
        company_name(name, merchant_id),
        all_tags,
        contact_email,
        given_name=name,
        products=tuple(products or ()),
        return_to=return_to,
        brand=brand,
    )


def checked_return(
    return_url: str | None, state: str | None, *, origins: Sequence[str], errors: dict[str, object]
) -> ReturnTo | None:
    """The caller's way back; ``None`` when it gives none. Mistakes are added to ``errors`` by field."""
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


def _contact(text: str) -> tuple[str, str | None]:
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


def is_email(text: str) -> bool:
    """Whether it has the form of an e-mail address and is safe in a mail header."""
    if len(text) > LONGEST_EMAIL or not text.isprintable():
        return False
    try:
        _validate_email(text)
    except ValidationError:
        return False
    return True


def link_parameters(parameters: Mapping[str, str] | None) -> dict[str, str]:
    """The validated query parameters to add to a link; raises :class:`Invalid`."""
    parameters = dict(parameters or {})
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
