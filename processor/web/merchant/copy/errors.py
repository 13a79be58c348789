"""Texts for errors. Pure.

The ``detail`` of an error addresses API callers and readers of logs, and is not shown to merchants.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

from processor.codat.errors import CodatConflict, CodatNotFound, CodatUncertain, CompanyUnseen
from processor.errors import (
    CodatError,
    CodatRateLimited,
    CodatRefused,
    CodatUnavailable,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    ProcessorError,
    StoreUnavailable,
    TooManyAttempts,
)
from processor.journey.errors import AlreadyConnected, CodatNotSet, CompanyGone
from processor.languages.current import gettext, mark
from processor.web.csrf import FormExpired
from processor.web.merchant.copy import terms


@dataclass(frozen=True, slots=True)
class MerchantError:
    """The text of an error.

    ``is_passing``: loading the page again later helps. ``is_ours``: only the operator can fix it and wants to
    be told. ``to_manage``: the page links to the list of connections. ``is_calm``: nothing is wrong.
    """

    title: str
    text: str
    is_passing: bool = False
    is_ours: bool = False
    to_manage: bool = False
    is_calm: bool = False


NOT_NOW = MerchantError(
    mark("This does not work just now"),
    mark(
        "That is not your fault, and nothing is lost. Wait a minute and load this page again, "
        "which shows how things stand."
    ),
    is_passing=True,
)
OURS = MerchantError(
    mark("We have to mend this"),
    mark(
        "Something on our side does not work as it should. That is not your fault, and nothing "
        "is lost; trying again helps only after we have mended it."
    ),
    is_ours=True,
)
UNCERTAIN = MerchantError(
    mark("We do not know yet whether that worked"),
    mark("The answer was lost on the way. Look how things stand before you try again; in a minute we know."),
    is_passing=True,
)
BROKEN = MerchantError(
    mark("Something went wrong here"),
    mark("That is a fault of ours and not yours. Load the page again; if it happens once more, tell us."),
    is_passing=True,
    is_ours=True,
)
GONE = MerchantError(
    mark("It is not there any more"),
    mark("It was deleted meanwhile, as it seems. Your list shows in a moment how things stand."),
)
NOWHERE = MerchantError(
    mark("There is nothing here"),
    mark(
        "This address leads to no page and to no connection of yours. Perhaps it was deleted, or "
        "the address is not complete."
    ),
)
UNUSABLE = MerchantError(mark("That could not be used"), mark("Go back to the list and choose again."))
EXPIRED_FORM = MerchantError(
    mark("This form has expired"),
    mark("Open the page again and repeat what you did. Your browser has to accept our cookie for that."),
)
CHANGED = MerchantError(
    mark("That is not possible now"),
    mark("Somebody may have changed something meanwhile. Look how things stand, and choose again."),
)
DELETED = MerchantError(
    mark("This company was deleted here"),
    mark(
        "All its connections ended with that, and so did our access to its data. There is "
        "nothing that you need to do. If that was not meant to happen, tell whoever sent you the link."
    ),
    is_calm=True,
)
UNNAMED_ACCOUNTING = mark("Your accounting platform")

_ERRORS: Mapping[type[ProcessorError], MerchantError] = {
    StoreUnavailable: NOT_NOW,
    TooManyAttempts: NOT_NOW,
    CodatUnavailable: NOT_NOW,
    CodatRateLimited: NOT_NOW,
    CodatConflict: NOT_NOW,
    CodatError: NOT_NOW,  # an answer that is broken
    CodatUncertain: UNCERTAIN,
    CodatRefused: OURS,
    CodatNotSet: OURS,
    CompanyUnseen: OURS,
    CodatNotFound: GONE,
    NotFound: NOWHERE,
    Invalid: UNUSABLE,
    Forbidden: UNUSABLE,
    FormExpired: EXPIRED_FORM,
    Conflict: CHANGED,
    CompanyGone: DELETED,
    ProcessorError: BROKEN,
}
"""Texts by error class; the nearest base class counts."""


def of(error: ProcessorError) -> MerchantError:
    """The text for ``error``."""
    if isinstance(error, AlreadyConnected):
        name = terms.name_of(error.platform_name or gettext(UNNAMED_ACCOUNTING))
        title = gettext("{platform} is connected already").replace("{platform}", name)
        text = f"{terms.single_connection(name)} {gettext(terms.TO_CHANGE)}"
        return MerchantError(title, text, is_calm=True, to_manage=True)
    error_text = next(_ERRORS[base] for base in type(error).__mro__ if base in _ERRORS)
    if error_text is BROKEN:
        error_text = _of_status(int(error.status))
    return replace(error_text, title=gettext(error_text.title), text=gettext(error_text.text))


def _of_status(status: int) -> MerchantError:
    """The text for an error of the framework, which has a status and no class of its own."""
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        return NOWHERE
    return UNUSABLE if status < HTTPStatus.INTERNAL_SERVER_ERROR else BROKEN
