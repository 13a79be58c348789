"""What callers wish for, checked before anything is asked of Codat. Pure.

Limits of tags: https://docs.codat.io/platform-api#/operations/create-company
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from marshmallow import ValidationError
from marshmallow.validate import Email

from handlers.events import MERCHANT_TAG
from processor.codat.names import company_name
from processor.delivery.email_addresses import with_ascii_domain
from processor.errors import Invalid

MOST_TAGS = 10
"""Of which ``merchantId`` is one."""

LONGEST_TAG_KEY = 27
LONGEST_TAG_VALUE = 100
MOST_PRODUCTS = 20
LONGEST_PRODUCT = 100
LONGEST_NAME = 200
LONGEST_EMAIL = 254
LONGEST_PLATFORM_KEY = 50
MOST_PARAMETERS = 20
LONGEST_PARAMETER = 500

_is_email = Email()


@dataclass(frozen=True, slots=True)
class SignUp:
    """A sign-up as Codat takes it: ``tags`` with the merchant's id, ``name`` in Codat's characters.

    Without ``products`` it gets those of CODAT_PRODUCTS, else the client's own.
    What stays here: ``given_name``, the name as it was given, and ``contact_email``, its domain in ASCII;
    ``None``: not given.
    """

    merchant_id: str
    name: str
    tags: Mapping[str, str]
    contact_email: str | None = field(repr=False)
    given_name: str | None = field(default=None, repr=False)
    products: tuple[str, ...] = ()

    @property
    def kept_here(self) -> dict[str, str]:
        """The fields of the company that Codat does not get, as far as they were given."""
        fields = {"contact_email": self.contact_email, "given_name": self.given_name}
        return {name: value for name, value in fields.items() if value is not None}


def sign_up(
    *,
    merchant_id: str,
    name: str | None,
    contact_email: str | None,
    tags: Mapping[str, str] | None,
    products: Sequence[str] | None = None,
) -> SignUp:
    """The sign-up that was wished for; raises :class:`Invalid`, which names every field to blame."""
    errors: dict[str, object] = {}
    if fault := _text_fault(merchant_id, LONGEST_TAG_VALUE):
        errors["merchant_id"] = [fault]
    if name is not None and (fault := _text_fault(name, LONGEST_NAME)):
        errors["name"] = [fault]
    if contact_email is not None:
        contact_email, fault = _contact(contact_email)
        if fault:
            errors["contact_email"] = [fault]
    all_tags = {**(tags or {}), MERCHANT_TAG: merchant_id}
    if faults := tags_fault(tags or {}, merchant_id):
        errors["tags"] = faults
    if faults := products_fault(products or ()):
        errors["products"] = faults
    if errors:
        raise Invalid(errors=errors)
    return SignUp(
        merchant_id,
        company_name(name, merchant_id),
        all_tags,
        contact_email,
        given_name=name,
        products=tuple(products or ()),
    )


def _contact(text: str) -> tuple[str, str | None]:
    """The address with its domain in ASCII, and what is wrong with it."""
    if not is_email(text):
        return text, "Not a valid e-mail address."
    if not text.rpartition("@")[0].isascii():
        return text, "The part before the @ must be ASCII: many mail servers take nothing else."
    try:
        text = with_ascii_domain(text)
    except ValueError:
        return text, "The domain is not one that e-mail can be sent to."
    return text, None if is_email(text) else "Not a valid e-mail address."


def products_fault(products: Sequence[str]) -> list[str]:
    """What is wrong with the identifiers of products; empty: nothing."""
    if len(products) > MOST_PRODUCTS:
        return [f"At most {MOST_PRODUCTS}."]
    faults = (_text_fault(one, LONGEST_PRODUCT) for one in products)
    return list(dict.fromkeys(fault for fault in faults if fault))


def tags_fault(tags: Mapping[str, str], merchant_id: str) -> list[str] | dict[str, list[str]] | None:
    """What is wrong with the tags, by tag where one is to blame; ``None``: nothing."""
    faults: dict[str, list[str]] = {}
    for key, value in tags.items():
        if fault := _text_fault(key, LONGEST_TAG_KEY):
            faults[key] = [f"The key: {fault}"]
        elif key == MERCHANT_TAG:
            if value != merchant_id:
                faults[key] = ["Stands for merchant_id; leave it out."]
        elif fault := _text_fault(value, LONGEST_TAG_VALUE):
            faults[key] = [fault]
    if faults:
        return faults
    count = len({*tags, MERCHANT_TAG})
    if count > MOST_TAGS:
        return [f"At most {MOST_TAGS} tags, of which {MERCHANT_TAG} is one; these are {count}."]
    return None


def is_email(text: str) -> bool:
    """Whether it could be an e-mail address, and nothing that would break a mail's header."""
    if len(text) > LONGEST_EMAIL or not text.isprintable():
        return False
    try:
        _is_email(text)
    except ValidationError:
        return False
    return True


def parameters(wished: Mapping[str, str] | None) -> dict[str, str]:
    """The parameters to add to a link; raises :class:`Invalid` for what no address should carry."""
    given = dict(wished or {})
    if len(given) > MOST_PARAMETERS:
        raise Invalid(errors={"parameters": [f"At most {MOST_PARAMETERS}."]})
    for name, value in given.items():
        fault = _text_fault(name, LONGEST_PARAMETER) or _text_fault(value, LONGEST_PARAMETER)
        if fault:
            raise Invalid(errors={"parameters": {name: [fault]}})
    return given


def platform_key(wished: str) -> str:
    """A platform's key that could be one; raises :class:`Invalid` otherwise."""
    if fault := _text_fault(wished, LONGEST_PLATFORM_KEY):
        raise Invalid(errors={"platform_key": [fault]})
    return wished


def _text_fault(text: str, longest: int) -> str | None:
    if not text.strip():
        return "Must not be empty."
    if len(text) > longest:
        return f"Longer than {longest} characters."
    if not text.isprintable():
        return "Has a character that cannot be shown."
    if text != text.strip():
        return "Begins or ends with a space."
    return None
