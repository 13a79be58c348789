"""Schemas of companies: sign-up, representation, and sync."""

from typing import Any

from marshmallow import fields
from marshmallow.validate import Length, OneOf

from processor.journey import company_fields, requests
from processor.journey.field_checks import LONGEST_STATE
from processor.journey.standing import JourneyOutcome
from processor.resources.queries import STATES
from processor.settings import web_addresses
from processor.settings.asked_for import SOURCE_TYPES, Need
from processor.web.v1.bodies import RequestBodySchema
from processor.web.v1.fields import (
    ResponseSchema,
    by_name,
    flag,
    language_tag,
    many,
    moment,
    number,
    optional,
    platform_members,
    required,
    text,
    texts,
    texts_by_name,
    word,
)

LONGEST_ZONE = 100
OUTCOMES = ("reading", "complete", "failed", "unsupported")
SYNC_STATUSES = ("idle", "reading", "complete", "failed")


def platform_keys(description: str) -> "fields.List[Any]":
    """A list of keys of platforms that may be left out."""
    return fields.List(
        fields.String(validate=Length(1, company_fields.LONGEST_PLATFORM_KEY)),
        allow_none=True,
        validate=Length(0, company_fields.MOST_PLATFORMS),
        metadata={"description": description},
    )


class AskedForBody(RequestBodySchema):
    """A source type that is asked for."""

    source_type = required(f"{', '.join(SOURCE_TYPES)}, in any case.", 20)
    need = fields.String(
        validate=OneOf([need.value for need in Need]),
        load_default=Need.REQUIRED.value,
        metadata={"description": "Whether the journey is complete without it."},
    )


class PlatformChoiceBody(RequestBodySchema):
    """Which platforms the pages offer; a list that is left out is that of the settings."""

    shown = platform_keys("The only platforms that are offered, by their keys.")
    hidden = platform_keys("Platforms that are not offered.")
    recommended = platform_keys("Platforms that stand first, as recommended.")


class CompanyChangeBody(RequestBodySchema):
    """Changes of a company; `null` resets a member, and one that is left out stays as it is."""

    name = optional(
        "Its name, in any characters for its own people; cleaned at Codat where Codat"
        " needs that. Without one it is called `merchant_id`.",
        company_fields.LONGEST_NAME,
    )
    contact_email = optional(
        "Whom we write to; kept here alone. An international domain is kept in its ASCII"
        " form; the part before the @ must be ASCII.",
        company_fields.LONGEST_EMAIL,
        format="email",
    )
    return_url = optional(
        "Where the pages' button leads when the user is done or leaves; its origin stands"
        " in `RETURN_URL_ORIGINS`. A new one replaces the one before, with its `state`.",
        web_addresses.LONGEST,
        format="uri",
    )
    state = optional(
        "Your own text, handed on to `return_url` as its parameter `state`.",
        LONGEST_STATE,
    )
    brand = optional(
        "The brand that its pages and e-mails show: the name of a folder in `BRAND_DIR`;"
        " none: that of the settings. A new one replaces the one before.",
        40,
    )
    language = language_tag("The language of its pages and e-mails; none: the browser's on pages.")
    time_zone = optional(
        "Its time zone, such as `Europe/Paris`, for the hours when nobody is reminded; none: `TIME_ZONE`.",
        LONGEST_ZONE,
    )
    asked_for = fields.List(
        fields.Nested(AskedForBody),
        allow_none=True,
        validate=Length(0, len(SOURCE_TYPES)),
        metadata={
            "description": "What its users are asked to connect, in this order; source types that are left"
            " out are not offered. None: `ASK_FOR`; an empty list: everything is offered."
        },
    )
    platforms = fields.Nested(
        PlatformChoiceBody,
        allow_none=True,
        metadata={"description": "Which platforms its pages offer; none: as the settings say."},
    )
    group = optional(
        "What companies that belong together share: the pages of each lead to the others.",
        company_fields.LONGEST_GROUP,
    )


class SignUpBody(CompanyChangeBody):
    """A company at sign-up."""

    merchant_id = required(
        "Your own id of the company; repeated, it leads to the same one.", requests.LONGEST_TAG_VALUE
    )
    tags = texts_by_name(
        f"Tags at Codat besides `merchantId`: at most {requests.MOST_TAGS - 1}, keys up to"
        f" {requests.LONGEST_TAG_KEY} and values up to {requests.LONGEST_TAG_VALUE} characters."
    )
    products = fields.List(
        fields.String(),
        allow_none=True,
        metadata={
            "description": "Identifiers of Codat products that the company gets when it is made; none:"
            " those in `CODAT_PRODUCTS`, else the default ones of the Codat client."
        },
    )
    lang = language_tag("The language of this `connect_url`, whatever the company's is.")


class AskedForSchema(ResponseSchema):
    """A source type that is asked for."""

    source_type = text("`Accounting`, `Banking`, ...")
    need = word(Need, "Whether the journey is complete without it.")


class PlatformChoiceSchema(ResponseSchema):
    """Which platforms the pages offer, as the caller said."""

    shown = fields.List(fields.String(), allow_none=True, metadata={"description": "The only ones."})
    hidden = fields.List(fields.String(), allow_none=True, metadata={"description": "Not offered."})
    recommended = fields.List(fields.String(), allow_none=True, metadata={"description": "Offered first."})


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
    language = text("The language of its pages and e-mails.", null=True)
    time_zone = text("Its time zone, as you gave it.", null=True)
    asked_for = many(AskedForSchema, "What its users are asked to connect, in order.")
    platforms = fields.Nested(
        PlatformChoiceSchema, required=True, metadata={"description": "Which platforms its pages offer."}
    )
    group = text("What the companies that belong together share.", null=True)


class CompanySchema(ResponseSchema):
    """A company as in Codat's messages."""

    id = text("The company's id.")
    company_id = text("The same.")
    merchant_id = text("Your own id of it.", null=True)
    name = text("Its name at Codat.", null=True)
    given_name = text("Its name as it was given at sign-up, in any characters.", null=True)
    tags = by_name(fields.String, "Its tags at Codat.")
    language = text("The language of its pages and e-mails, as given at sign-up.", null=True)
    reminders_off_at = moment("When its contact asked for no more reminders.", null=True)
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
    paused_until = moment("Until when Codat pauses reading it.", null=True)


class ConnectionSyncSchema(ResponseSchema):
    """Sync of one connection."""

    connection_id = text("The connection's id.")
    id = text("The same.")
    platform_key, platform_name, source_type = platform_members()
    state = word(STATES, "Its state.")
    progress = number("Of the current authorisation, 0 to 100.", max=100)
    authorized_at = moment("When that began.", null=True)
    last_read_at = moment("When something was last read well.", null=True)
    waits_for_computer = flag("Whether its first sync waits for the customer's computer.")
    paused_until = moment("When reading goes on, where Codat pauses all that is being read.", null=True)
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
    platform_key, platform_name, source_type = platform_members()
    account_name = text("The account, shop or business behind it, where Codat shows one.", null=True)
    previous_account_name = text("The one before, where another account was connected since.", null=True)
    account_confirmed = flag(
        "Whether that is the first account, or its user said on the pages that the change is meant."
    )
    state = word(STATES, "Its state.")
    outcome = word(JourneyOutcome, "What that means for the journey.")


class StepSchema(AskedForSchema):
    """How something that is asked for stands."""

    outcome = word(JourneyOutcome, "How its best connection stands; `null` without one.", null=True)
    connection_id = text("That connection.", null=True)
    is_met = flag("Whether there is nothing more for the user to do about it.")
    is_skipped = flag("Whether it is optional, and the user left it for later.")


class GroupCompanySchema(ResponseSchema):
    """Another company of the group."""

    id = text("The company's id.")
    company_id = text("The same.")
    merchant_id = text("Your own id of it.", null=True)
    name = text("Its name as it was given, else as Codat has it.", null=True)


class JourneySchema(ResponseSchema):
    """How the journey of a company stands."""

    id = text("The company's id.")
    company_id = text("The same.")
    outcome = word(
        JourneyOutcome,
        "`syncing`: something is being read for the first time; `ready`: something was read; `failed`;"
        " `cancelled`: the user gave up at the platform; `left`: nothing was authorised, access was given"
        " up, or another account than before was connected and nobody said yet that this is meant. Where"
        " something is required, the whole is only as good as the worst of that; `left` if one is missing.",
    )
    connection_id = text("The connection that `outcome` is about.", null=True)
    state = text("Your own text, as the button hands it on.", null=True)
    return_url = text("Where the button leads now, with its parameters.", null=True, format="uri")
    asked_for = many(StepSchema, "What is asked for, in order; empty: nothing in particular.")
    missing = texts("The required source types that are not connected yet.")
    steps_done = number("How many of the source types that are asked for are connected.")
    steps = number("How many are asked for, without the optional ones that the user left for later.")
    group = text("What the companies that belong together share.", null=True)
    group_companies = many(GroupCompanySchema, "The other companies of the group, by name; at most 50.")
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
    address_hash = text("A keyed hash of the browser's address, to compare acts with each other.")
    person_id = text("The person whose link was used; null: the company's own link.", null=True)
    person_name = text("Their name, also after they were removed.", null=True)
    email_hash = text("A keyed hash of the e-mail address that the link was made for.", null=True)
    text = text("The whole text as it was shown.")
