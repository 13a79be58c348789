"""Schemas of messages, and of their replay and discard."""

from marshmallow import fields

from handlers.events import Source
from processor.alerts.replay import DISCARDED
from processor.store.message_records import EVENT_STATUSES
from processor.web.v1.fields import ResponseSchema, moment, number, text, texts, word


class EventSchema(ResponseSchema):
    """A message and its status."""

    id = text("The message's id.")
    event_id = text("The same.")
    status = word(EVENT_STATUSES, "What became of it.")
    source = word(Source, "Where it came from; `null` while nobody understands it.", null=True)
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
    """A message that was replayed."""

    event_id = text("The message's id.")
    status = word(("pending",), "Its status now.")
