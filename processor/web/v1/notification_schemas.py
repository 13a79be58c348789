"""Schemas of notifications."""

from marshmallow import fields

from handlers.milestones import NOTIFICATION_TYPES
from processor.resources.queries import STATES
from processor.resources.serializers import NOTIFICATION_STATUSES
from processor.web.v1.connection_schemas import ErrorSchema
from processor.web.v1.delivery_schemas import DeliverySchema
from processor.web.v1.fields import (
    ResponseSchema,
    by_name,
    flag,
    many,
    moment,
    number,
    platform_members,
    text,
    texts,
    word,
)


class OutcomesSchema(ResponseSchema):
    """The outcome of the first sync, per data type."""

    complete = texts("Data types that were read.")
    failed = by_name(fields.String, "Those that could not be read, with Codat's status.")


class NotificationDataSchema(ResponseSchema):
    """The data of a notification."""

    merchant_id = text("Your own id of the company.", null=True)
    company_id = text("The company.", null=True)
    connection_id = text("The connection; `null` of `journey.platform_requested`.", null=True)
    platform_key, platform_name, source_type = platform_members()
    account_name = text("The account, shop or business behind it, where Codat shows one.", null=True)
    state = word(STATES, "The state when it was decided.", null=True)
    previous_state = word(STATES, "The state before.", null=True)
    authorization = number("Which authorisation it is about.")
    authorized_at = moment("When that began.", null=True)
    occurred_at = moment("When it happened, by Codat's clock.")
    event_id = text("The message from which we know.", null=True)
    expected = flag(
        "Of `connection.deauthorized`: it is no bad news, for a connector that is read once ended so after"
        " its first sync. Otherwise `false`."
    )
    data_types = fields.Nested(OutcomesSchema, required=True)
    error = fields.Nested(ErrorSchema, required=True, allow_none=True)
    request_id = fields.String(metadata={"description": "Of `journey.platform_requested`: the note's id."})
    note = fields.String(allow_none=True, metadata={"description": "Of the same: what the user added."})
    ends_at = fields.String(
        allow_none=True,
        metadata={"description": "Of reminders: when the consent ends.", "format": "date-time"},
    )
    read_started = fields.Boolean(
        metadata={"description": "Of `reminder.read_due`: whether Codat was told to read."}
    )


class NotificationSchema(ResponseSchema):
    """A notification and its deliveries."""

    id = text("Its id, the same wherever it is learnt.")
    type = word(NOTIFICATION_TYPES, "Its type.")
    timestamp = moment("When it was decided.")
    data = fields.Nested(NotificationDataSchema, required=True)
    status = word(
        NOTIFICATION_STATUSES,
        "What is worst of its deliveries; `published`: it stands on the stream and goes to nobody else.",
    )
    deliveries = many(DeliverySchema, "What became of it in each lane.")
