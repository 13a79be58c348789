"""Schemas of the service's statistics."""

from marshmallow import fields

from processor.conditions.model import Severity
from processor.conditions.registry import DEFINITIONS
from processor.web.v1.delivery_schemas import LaneSchema
from processor.web.v1.fields import ResponseSchema, by_name, many, moment, number, seconds, text, word


class InboxLaneSchema(ResponseSchema):
    """One lane of the inbox."""

    depth = number("Messages that wait.")
    age_s = seconds("How long the oldest has waited, in seconds.")


class InboxLanesSchema(ResponseSchema):
    """The lanes of the inbox: new messages overtake replays.

    Replays are messages that were older than an hour when they came, and those that are handled again.
    """

    new = fields.Nested(InboxLaneSchema, required=True)
    replays = fields.Nested(InboxLaneSchema, required=True)


class InboxSchema(InboxLaneSchema):
    """The inbox, both lanes together."""

    lanes = fields.Nested(InboxLanesSchema, required=True)


class WarningSchema(ResponseSchema):
    """A problem with Codat's messages."""

    kind = text("What is wrong.")
    sentence = text("What happened, and what to do.")
    since = moment("Since when.")


class ConditionSchema(ResponseSchema):
    """A condition that holds now."""

    code = word([definition.code for definition in DEFINITIONS], "What it is; more codes may be added.")
    severity = word(Severity, "`critical`: messages cannot be kept; `info`: good to know.")
    subject = text("What it is about, where there can be several: a subscriber's id, a machine.", null=True)
    since = moment("Since when.", null=True)
    sentence = text("What is wrong.")
    advice = text("What to do.")


class QuotaSchema(ResponseSchema):
    """Codat's daily quota."""

    limit = number("Requests a day, where Codat says it.", null=True)
    remaining = number("Requests that are left.")
    resets_at = moment("When it is full again.")


class CallsSchema(ResponseSchema):
    """Calls to Codat."""

    by_status = by_name(
        fields.Integer, "Calls since the start by Codat's status, or `timeout` and `unreachable`."
    )
    seconds_by_status = by_name(fields.Float, "How long they took together, in seconds.")
    last_answer_at = moment("When Codat last answered.", null=True)
    failing_since = moment("Since when no call was answered.", null=True)
    key_refused_since = moment("Since when Codat refuses the API key.", null=True)


class RefusedSchema(ResponseSchema):
    """Messages that were refused."""

    by_reason = by_name(fields.Integer, "Since the start, by reason.")
    last_at = moment("When the last one was refused.", null=True)
    last_authentic_at = moment("When the last authentic message came.", null=True)


class CodatSchema(ResponseSchema):
    """Questions to Codat, polling, and missed messages."""

    missed_messages = number("Changes that a sweep found and no message had told, since ever.")
    missing_now = number("Changes of the last day that no message has told until now.")
    last_message_at = moment("When a message last came.", null=True)
    last_walk_at = moment("When Codat's list of companies was last compared.", null=True)
    warnings = many(WarningSchema, "What is wrong with Codat's messages.")
    watched = number("Companies that are looked at from time to time.")
    calls = fields.Nested(CallsSchema, required=True)
    refused = fields.Nested(RefusedSchema, required=True)
    quota = fields.Nested(QuotaSchema, required=True, allow_none=True)
    told_to_wait_until = moment("Until when Codat wants no requests.", null=True)
    polling_paused_until = moment("Until when nothing is asked in the background.", null=True)


class StatsSchema(ResponseSchema):
    """Statistics of the service."""

    connections = by_name(fields.Integer, "Connections by state.")
    events = by_name(fields.Integer, "Messages by status.")
    inbox = fields.Nested(InboxSchema, required=True)
    lanes = many(LaneSchema, "The lanes, one per recipient.")
    dead_letters = number("Messages that failed to the last.")
    dead_deliveries = number("Deliveries that failed to the last.")
    uncertain_deliveries = number("Notifications of which a delivery was sent and not answered.")
    questions = number("Questions that wait to be put to Codat.")
    companies = number("Companies that we know.")
    notifications = number("Notifications that were decided.")
    codat = fields.Nested(CodatSchema, required=True)
    counters = by_name(fields.Integer, "What happened how often, since ever.")
    conditions = many(ConditionSchema, "What is wrong now, the worst first.")
    last_commit_at = moment("When messages were last handled.", null=True)
