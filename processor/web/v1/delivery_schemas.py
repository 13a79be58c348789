"""Schemas of deliveries and lanes, the objects of :mod:`processor.delivery.serializers`."""

from marshmallow import fields

from processor.delivery.channels.registry import BUILT_IN, channel_names
from processor.delivery.lane import Mode
from processor.delivery.serializers import DELIVERY_STATUSES
from processor.web.v1.fields import ResponseSchema, many, moment, nullable, number, seconds, text, word

BUILT_IN_LANES = " or ".join(f"`{name}`" for name in BUILT_IN)


class AttemptSchema(ResponseSchema):
    """One attempt to deliver a notification."""

    at = moment("When it began.")
    outcome = word(
        ("delivered", "failed", "uncertain"),
        "`uncertain`: sent and not answered; it is not sent again by itself.",
    )
    status_code = fields.Integer(
        required=True, allow_none=True, metadata={"description": "The receiver's answer, if there was one."}
    )
    duration_ms = number("How long it took, in milliseconds.")
    error = text("Why it failed.", null=True)
    answer = text("The first 1 KB of what the receiver said.")


class DeliverySchema(ResponseSchema):
    """The delivery of a notification in one lane."""

    id = text(f"The lane: a subscriber's id, {BUILT_IN_LANES}.")
    channel = word(channel_names(), "Its channel.")
    subscriber_id = text("The subscriber, where it is one.", null=True)
    status = word(DELIVERY_STATUSES, "What became of it.")
    attempts = many(AttemptSchema, "Each attempt, the oldest first.")
    next_attempt_at = moment("When it is tried again.", null=True)


class StandingSchema(ResponseSchema):
    """The state of a lane."""

    waiting = number("Notifications that wait in it.")
    under_way = number("Attempts under way.")
    delivered = number("Deliveries that succeeded, since ever.")
    dead = number("Deliveries that failed to the last, since ever.")
    uncertain = number("Deliveries that may have arrived, since ever.")
    failures = number("Failures in a row.")
    failing_since = moment("Since when nothing succeeded.", null=True)
    last_attempt = nullable(AttemptSchema, "The newest attempt.")


class LaneSchema(StandingSchema):
    """A lane."""

    id = text(f"A subscriber's id, {BUILT_IN_LANES}.")
    channel = word(channel_names(), "Its channel.")
    status = word(Mode, "`slow`: only probed; `paused` and `gone`: until it is enabled.")
    overdue_s = seconds("How long the oldest due delivery waits, in seconds.")
