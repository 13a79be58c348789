"""What the API answers with, as schemas: the objects of :mod:`processor.resources.serializers`, described."""

from marshmallow import fields
from marshmallow.validate import OneOf

from handlers.effects import DecisionOutcome
from handlers.events import LinkStatus, Source
from handlers.milestones import NotificationType
from handlers.timeline import TimelineOutcome
from processor.alerts.replay import DISCARDED
from processor.resources.queries import STATES
from processor.resources.serializers import NOTIFICATION_STATUSES, UNREADABLE
from processor.store.records import EVENT_STATUSES
from processor.web.v1.delivery_schemas import DeliverySchema
from processor.web.v1.fields import ResponseSchema, flag, many, moment, number, text, texts, word


class ConnectionProblemSchema(ResponseSchema):
    """An error (RFC 9457)."""

    type = text(
        "The address that explains this kind of error, relative to this service.", format="uri-reference"
    )
    code = text("A stable word for this kind of error, the last part of `type`; `/problems` lists all.")
    title = text("What kind of error it is.")
    status = fields.Integer(required=True, metadata={"description": "The HTTP status."})
    detail = text("A sentence on which the caller can act.")
    errors = fields.Dict(
        keys=fields.String(), metadata={"description": "The fields to blame, with their mistakes."}
    )
    event_id = fields.String(metadata={"description": "The message concerned."})
    correlation_id = fields.String(metadata={"description": "Codat's id of the failure."})


class ErrorSchema(ResponseSchema):
    """Codat's description of what went wrong."""

    status_code = text("Codat's code.", null=True)
    status_text = text("Its short text.", null=True)
    message = text("Its message.", null=True)


class DataTypeSchema(ResponseSchema):
    """The newest outcome of one data type."""

    data_type = text("Codat's name of it.")
    status = text("Codat's dataset status, e.g. `Complete` or `FetchError`.")
    progress = number("0 to 100.", max=100)
    at = moment("When this outcome was, by Codat's clock.")
    message = text("Codat's explanation.", null=True)
    current = fields.Boolean(
        required=True, metadata={"description": "Whether it belongs to the current authorisation."}
    )


class CheckSchema(ResponseSchema):
    """News that waits for Codat's word before it is told."""

    kind = word(NotificationType, "The notification that waits.")
    at = moment("When it happened, by Codat's clock.")
    since = moment("Since when it waits.")


class OpenSchema(ResponseSchema):
    """What waits for Codat's word."""

    checks = many(CheckSchema, "News that is checked before it is told.")
    claims = number("Alerts without a time that wait for Codat's answer.")


class LedgerEntrySchema(ResponseSchema):
    """One notification that was decided."""

    id = text("The notification's id.")
    type = word(NotificationType, "Its type.")
    at = moment("When the milestone was, by Codat's clock.")


class ConnectionSchema(ResponseSchema):
    """A connection as it is now, as far as we know."""

    id = text("The connection's id.")
    connection_id = text("The same.")
    company_id = text("Its company.", null=True)
    merchant_id = text("Your own id of the company.", null=True)
    platform_key = text("Codat's key of the platform.", null=True)
    platform_name = text("The platform's name.", null=True)
    source_type = text("`Accounting`, `Banking`, ...", null=True)
    integration_id = text("Codat's id of the integration.", null=True)
    account_name = text("The account, shop or business behind it, where Codat shows one.", null=True)
    state = word(
        (*STATES, UNREADABLE),
        "The state; `unreadable` where our record is damaged: an operator has to repair it.",
    )
    link_status = word(LinkStatus, "What Codat's status should be; `null` when deleted.", null=True)
    authorization = number("How often access was given.")
    authorized_at = moment("When the current authorisation began.", null=True)
    first_heard_at = moment("When we first heard of it.", null=True)
    progress = number("Of the first sync of the current authorisation, 0 to 100.", max=100)
    data_types = many(DataTypeSchema, "The newest outcome of each data type.")
    on_premise = flag("Whether its platform is software on the customer's computer.")
    first_sync_missing = flag(
        "Access is given and Codat has queued nothing to read: `POST /v1/companies/{id}/read` has it read."
    )
    end_expected = flag(
        "Access ended at once after a complete first sync, as with a connector on the customer's computer"
        " that is set to be read once."
    )
    error = fields.Nested(
        ErrorSchema,
        required=True,
        allow_none=True,
        metadata={"description": "Of the newest failed attempt or end of access."},
    )
    open = fields.Nested(OpenSchema, required=True)
    notifications_told = many(LedgerEntrySchema, "What was told, oldest first.")


class DecisionSchema(ResponseSchema):
    """A decision to tell, to check, or not to tell."""

    type = word(NotificationType, "The notification it is about.")
    verdict = word(DecisionOutcome, "What was decided.")
    reason = text("Why.")
    notification_id = text("The notification's id.", null=True)


class TimelineEntrySchema(ResponseSchema):
    """What one message did to a connection."""

    id = text("The entry's id.")
    at = moment("When it happened, by Codat's clock.")
    known_at = moment("When we learnt it.")
    event_id = text("The message.")
    event_type = text("Its type, in Codat's spelling.")
    source = word(Source, "The road by which it came.")
    from_ = fields.String(
        required=True,
        data_key="from",
        attribute="from",
        validate=OneOf(STATES),
        metadata={"description": "The state before."},
    )
    to = word(STATES, "The state after.")
    outcome = word(TimelineOutcome, "What it did.")
    reason = text("Why, in words.")
    decisions = many(DecisionSchema, "What was decided to tell.")


class CompanySchema(ResponseSchema):
    """A company as Codat's messages describe it."""

    id = text("The company's id.")
    company_id = text("The same.")
    merchant_id = text("Your own id of it.", null=True)
    name = text("Its name at Codat.", null=True)
    given_name = text("Its name as it was given at sign-up, in any characters.", null=True)
    tags = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "Its tags at Codat."},
    )
    first_heard_at = moment("When we first heard of it.", null=True)
    deleted_at = moment("When it was deleted at Codat.", null=True)


class EventSchema(ResponseSchema):
    """A message and what became of it."""

    id = text("The message's id.")
    event_id = text("The same.")
    status = word(EVENT_STATUSES, "What became of it.")
    source = word(Source, "The road by which it came; `null` while nobody understands it.", null=True)
    type = text("Its type, in Codat's spelling.", null=True)
    received_at = moment("When we received it.")
    processed_at = moment("When it was handled.", null=True)
    company_id = text("The company it is about.", null=True)
    connection_ids = texts("The connections that it names.")
    attempts = number("How often handling it raised.")
    next_attempt_at = moment("When it is tried again.", null=True)
    error = text("Why it is not processed.", null=True)
    duplicates = number("How often it came again.")


class WholeEventSchema(EventSchema):
    """A message with its body."""

    body = fields.Raw(required=True, metadata={"description": "The body, where it is JSON."})
    raw = text("The body as text, where it is not JSON.", null=True)


class DiscardSchema(ResponseSchema):
    """A message that was discarded."""

    event_id = text("The message's id.")
    status = word((DISCARDED,), "Its status now.")


class ReplaySchema(ResponseSchema):
    """A message that waits in the inbox again."""

    event_id = text("The message's id.")
    status = word(("pending",), "Its status now.")


class OutcomesSchema(ResponseSchema):
    """The outcome of the first sync per data type."""

    complete = texts("Data types that were read.")
    failed = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "Those that could not be read, with Codat's status."},
    )


class NotificationDataSchema(ResponseSchema):
    """What a notification tells."""

    merchant_id = text("Your own id of the company.", null=True)
    company_id = text("The company.", null=True)
    connection_id = text("The connection.")
    platform_key = text("Codat's key of the platform.", null=True)
    platform_name = text("The platform's name.", null=True)
    source_type = text("`Accounting`, `Banking`, ...", null=True)
    state = word(STATES, "The state when it was decided.")
    previous_state = word(STATES, "The state before.")
    authorization = number("Which authorisation it is about.")
    authorized_at = moment("When that began.", null=True)
    occurred_at = moment("When it happened, by Codat's clock.")
    event_id = text("The message from which we know.")
    expected = flag(
        "Of `connection.deauthorized`: it is no bad news, for a connector that is read once ended so after"
        " its first sync. Otherwise `false`."
    )
    data_types = fields.Nested(OutcomesSchema, required=True)
    error = fields.Nested(ErrorSchema, required=True, allow_none=True)


class NotificationSchema(ResponseSchema):
    """A notification, and what became of it."""

    id = text("Its id, the same by whatever road it is learnt.")
    type = word(NotificationType, "Its type.")
    timestamp = moment("When it was decided.")
    data = fields.Nested(NotificationDataSchema, required=True)
    status = word(
        NOTIFICATION_STATUSES,
        "What is worst of its deliveries; `published`: it stands on the stream and goes to nobody else.",
    )
    deliveries = many(DeliverySchema, "What became of it in each lane.")
