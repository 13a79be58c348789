"""What the calls of the journey take and answer with."""

from marshmallow import RAISE, Schema, fields
from marshmallow.validate import Length, Range

from handlers.events import LinkStatus
from processor.codat.names import SOURCE_TYPES
from processor.journey import requests
from processor.resources.queries import STATES
from processor.web.v1.fields import ResponseSchema, many, moment, number, text, word
from processor.web.v1.parameters import PageQuery

OUTCOMES = ("reading", "complete", "failed", "unsupported")
SYNC_STATUSES = ("idle", "reading", "complete", "failed")


class JourneyBody(Schema):
    """What is sent; a member that there is not is refused by name."""

    class Meta:
        unknown = RAISE


class SignUpBody(JourneyBody):
    """A company at sign-up."""

    merchant_id = fields.String(
        required=True,
        validate=Length(1, requests.LONGEST_TAG_VALUE),
        metadata={"description": "Your own id of the company; repeated, it leads to the same one."},
    )
    name = fields.String(
        allow_none=True,
        validate=Length(1, requests.LONGEST_NAME),
        metadata={
            "description": "Its name, in any characters for its own people; cleaned at Codat where Codat"
            " needs that. Without one it is called `merchant_id`."
        },
    )
    contact_email = fields.String(
        allow_none=True,
        validate=Length(1, requests.LONGEST_EMAIL),
        metadata={
            "description": "Whom we write to; kept here alone. An international domain is kept in its ASCII"
            " form; the part before the @ must be ASCII.",
            "format": "email",
        },
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


def _parameters() -> fields.Dict:
    description = "Query parameters to add to `link_url`; Codat hands them on to your redirect URL."
    return fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        allow_none=True,
        metadata={"description": description},
    )


class ConnectBody(JourneyBody):
    """The choice of a platform."""

    platform_key = fields.String(
        required=True,
        validate=Length(1, requests.LONGEST_PLATFORM_KEY),
        metadata={"description": "The key of an enabled platform, as `GET /v1/integrations` lists it."},
    )
    parameters = _parameters()


class LinkBody(JourneyBody):
    """How the link is wanted."""

    parameters = _parameters()


class IntegrationQuery(PageQuery):
    """A list of platforms."""

    source_type = fields.String(
        validate=Length(1, 20),
        metadata={"description": f"Only platforms of this type, in any case: {', '.join(SOURCE_TYPES)}."},
    )
    search = fields.String(
        validate=Length(0, 200),
        metadata={"description": "Only platforms whose names have all of these words."},
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


class IntegrationSchema(ResponseSchema):
    """A platform that can be connected."""

    id = text("The same as `key`.")
    key = text("Codat's key of the platform.")
    name = text("Its full name.")
    source_type = text("`Accounting`, `Banking`, ...", null=True)
    logo_url = text("Its logo.", null=True)
    logo_alt = text("The logo in words.", null=True)
    square_logo_url = text("Its square logo.", null=True)
    button_url = text("Its own button; Intuit asks for it to be used.", null=True)
    button_hover_url = text("The button under the pointer.", null=True)
    is_beta = fields.Boolean(required=True, metadata={"description": "Whether Codat calls it beta."})
    is_offline = fields.Boolean(
        required=True, metadata={"description": "Whether software has to be installed for it."}
    )
    integration_id = text("Codat's id of the integration.", null=True)


class StartedSchema(ResponseSchema):
    """A connection to be authorised."""

    connection_id = text("The connection's id.")
    id = text("The same.")
    company_id = text("Its company.")
    link_url = text(
        "Where to send the user now: works once, for a day at most (some platforms: an hour).", format="uri"
    )
    status = word(LinkStatus, "Codat's status of the connection.")
    platform_key = text("Codat's key of the platform.", null=True)
    platform_name = text("The platform's name.", null=True)
    source_type = text("`Accounting`, `Banking`, ...", null=True)


class DoneSchema(ResponseSchema):
    """A change that Codat made."""

    connection_id = text("The connection's id.")
    id = text("The same.")
    company_id = text("Its company.")
    status = word(LinkStatus, "Codat's status of the connection now.")
    event_id = text("The event by which it becomes known here, within moments.")


class DataTypeSyncSchema(ResponseSchema):
    """How reading one data type stands."""

    data_type = text("Codat's name of it.")
    status = text("Codat's dataset status, e.g. `Fetching`, `Complete` or `FetchError`.")
    outcome = word(OUTCOMES, "What that means.")
    progress = number("0 to 100.", max=100)
    at = moment("When it had this status, by Codat's clock.")
    message = text("Codat's explanation.", null=True)


class ConnectionSyncSchema(ResponseSchema):
    """How reading one connection stands."""

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
    """How reading a company stands."""

    company_id = text("The company's id.")
    id = text("The same.")
    status = word(SYNC_STATUSES, "`idle`: nothing is authorised; `failed`: nothing could be read.")
    progress = fields.Integer(
        required=True,
        validate=Range(0, 100),
        metadata={"description": "Over the connections that are authorised, 0 to 100."},
    )
    connections = many(ConnectionSyncSchema, "Newest first, without the deleted ones.")
