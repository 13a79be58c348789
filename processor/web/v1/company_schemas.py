"""Schemas of companies: sign-up, representation, and sync."""

from marshmallow import fields
from marshmallow.validate import Length

from processor.journey import requests
from processor.journey.way_back import JourneyOutcome
from processor.resources.queries import STATES
from processor.settings import web_addresses
from processor.web.v1.bodies import RequestBodySchema
from processor.web.v1.fields import ResponseSchema, by_name, flag, many, moment, number, optional, text, word

OUTCOMES = ("reading", "complete", "failed", "unsupported")
SYNC_STATUSES = ("idle", "reading", "complete", "failed")


class SignUpBody(RequestBodySchema):
    """A company at sign-up."""

    merchant_id = fields.String(
        required=True,
        validate=Length(1, requests.LONGEST_TAG_VALUE),
        metadata={"description": "Your own id of the company; repeated, it leads to the same one."},
    )
    name = optional(
        "Its name, in any characters for its own people; cleaned at Codat where Codat"
        " needs that. Without one it is called `merchant_id`.",
        requests.LONGEST_NAME,
    )
    contact_email = optional(
        "Whom we write to; kept here alone. An international domain is kept in its ASCII"
        " form; the part before the @ must be ASCII.",
        requests.LONGEST_EMAIL,
        format="email",
    )
    tags = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        allow_none=True,
        metadata={
            "description": f"Tags at Codat besides `merchantId`: at most {requests.MOST_TAGS - 1}, keys up to"
            f" {requests.LONGEST_TAG_KEY} and values up to {requests.LONGEST_TAG_VALUE} characters."
        },
    )
    products = fields.List(
        fields.String(),
        allow_none=True,
        metadata={
            "description": "Identifiers of Codat products that the company gets when it is made; none:"
            " those in `CODAT_PRODUCTS`, else the default ones of the Codat client."
        },
    )
    return_url = optional(
        "Where the pages' button leads when the user is done or leaves; its origin stands"
        " in `RETURN_URL_ORIGINS`. A new one replaces the one before, with its `state`.",
        web_addresses.LONGEST,
        format="uri",
    )
    state = optional(
        "Your own text, handed on to `return_url` as its parameter `state`.",
        requests.LONGEST_STATE,
    )
    brand = optional(
        "The brand that its pages and e-mails show: the name of a folder in `BRAND_DIR`;"
        " none: that of the settings. A new one replaces the one before.",
        40,
    )


class SignedUpSchema(ResponseSchema):
    """A company that signed up."""

    company_id = text("The company's id at Codat.")
    id = text("The same.")
    merchant_id = text("Your own id of it.", null=True)
    name = text("Its name at Codat.", null=True)
    given_name = text("Its name as it was given, in any characters; kept here alone.", null=True)
    contact_email = text("Whom we write to.", null=True)
    connect_url = text("The page on which it connects its platforms; works for 24 hours.", format="uri")
    return_url = text("Where the pages' button leads, as you gave it.", null=True, format="uri")
    state = text("Your own text for `return_url`.", null=True)
    brand = text("The brand that its pages and e-mails show.", null=True)


class CompanySchema(ResponseSchema):
    """A company as in Codat's messages."""

    id = text("The company's id.")
    company_id = text("The same.")
    merchant_id = text("Your own id of it.", null=True)
    name = text("Its name at Codat.", null=True)
    given_name = text("Its name as it was given at sign-up, in any characters.", null=True)
    tags = by_name(fields.String, "Its tags at Codat.")
    first_heard_at = moment("When we first heard of it.", null=True)
    deleted_at = moment("When it was deleted at Codat.", null=True)


class DataTypeSyncSchema(ResponseSchema):
    """Sync of one data type."""

    data_type = text("Codat's name of it.")
    status = text("Codat's dataset status, e.g. `Fetching`, `Complete` or `FetchError`.")
    outcome = word(OUTCOMES, "What that means.")
    progress = number("0 to 100.", max=100)
    at = moment("When it had this status, by Codat's clock.")
    message = text("Codat's explanation.", null=True)


class ConnectionSyncSchema(ResponseSchema):
    """Sync of one connection."""

    connection_id = text("The connection's id.")
    id = text("The same.")
    platform_key = text("Codat's key of the platform.", null=True)
    platform_name = text("The platform's name.", null=True)
    source_type = text("`Accounting`, `Banking`, ...", null=True)
    state = word(STATES, "Its state.")
    progress = number("Of the current authorisation, 0 to 100.", max=100)
    authorized_at = moment("When that began.", null=True)
    last_read_at = moment("When something was last read well.", null=True)
    data_types = many(DataTypeSyncSchema, "Of the current authorisation.")


class SyncSchema(ResponseSchema):
    """Sync of a company."""

    company_id = text("The company's id.")
    id = text("The same.")
    status = word(SYNC_STATUSES, "`idle`: nothing is authorised; `failed`: nothing could be read.")
    progress = number("Over the connections that are authorised, 0 to 100.", max=100)
    connections = many(ConnectionSyncSchema, "Newest first, without the deleted ones.")


class ConnectionJourneySchema(ResponseSchema):
    """How the journey to one connection stands."""

    id = text("The connection's id.")
    connection_id = text("The same.")
    platform_key = text("Codat's key of the platform.", null=True)
    platform_name = text("The platform's name.", null=True)
    source_type = text("`Accounting`, `Banking`, ...", null=True)
    account_name = text("The account, shop or business behind it, where Codat shows one.", null=True)
    previous_account_name = text("The one before, where another account was connected since.", null=True)
    account_confirmed = flag(
        "Whether that is the first account, or its user said on the pages that the change is meant."
    )
    state = word(STATES, "Its state.")
    outcome = word(JourneyOutcome, "What that means for the journey.")


class JourneySchema(ResponseSchema):
    """How the journey of a company stands."""

    id = text("The company's id.")
    company_id = text("The same.")
    outcome = word(
        JourneyOutcome,
        "`syncing`: something is being read for the first time; `ready`: something was read; `failed`;"
        " `cancelled`: the user gave up at the platform; `left`: nothing was authorised, access was given"
        " up, or another account than before was connected and nobody said yet that this is meant.",
    )
    connection_id = text("The connection that `outcome` is about.", null=True)
    state = text("Your own text, as the button hands it on.", null=True)
    return_url = text("Where the button leads now, with its parameters.", null=True, format="uri")
    connections = many(ConnectionJourneySchema, "Newest first, without the deleted ones.")


class ConsentSchema(ResponseSchema):
    """One act of consent on the pages."""

    id = text("The consent's id.")
    at = moment("When it was given, by our clock.")
    company_id = text("The company.")
    connection_id = text("The connection that it is for.")
    platform_name = text("The platform's name.", null=True)
    authorization = number("How often access had been given before; renewed access needs a new consent.")
    version = text("The product, the language and a hash of each template that made the text.")
    hash = text("SHA-256 of `text`, as hexadecimal digits.")
    language = text("The language of the text, e.g. `en`.")
    text_ = fields.String(
        required=True,
        data_key="text",
        attribute="text",
        metadata={"description": "The whole text as it was shown."},
    )
    address_hash = text("A keyed hash of the browser's address, to compare acts with each other.")
