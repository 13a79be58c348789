"""Query parameters. Unknown ones are refused by name, because a misspelt filter would return everything."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from marshmallow import RAISE, Schema, fields
from marshmallow.validate import Length, OneOf, Range

from handlers.milestones import NOTIFICATION_TYPES
from handlers.timeline import TimelineOutcome
from processor.access.audit import ActorKind
from processor.codat.json_values import folded
from processor.resources.queries import STATES
from processor.resources.serializers import NOTIFICATION_STATUSES
from processor.store.message_records import EVENT_STATUSES

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
LONGEST_TIME = 40
LONGEST_CURSOR = 2100
LONGEST_ID = 500


class Limit(fields.Integer):
    """The items of a page; ASCII digits only, unlike Python's ``int``, which accepts ``1_0`` and ``٣``."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> int:
        if isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value) is None:
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class NoParameters(Schema):
    """A call without parameters."""

    class Meta:
        unknown = RAISE


class PageQuery(NoParameters):
    """A page of a list."""

    limit = Limit(
        load_default=DEFAULT_LIMIT,
        validate=Range(1, MAX_LIMIT),
        metadata={"description": f"Items of a page, 1 to {MAX_LIMIT}."},
    )
    cursor = fields.String(
        validate=Length(1, LONGEST_CURSOR),
        metadata={"description": "`next_cursor` of the page before."},
    )


def id_filter(description: str) -> fields.String:
    """A filter by an id."""
    return fields.String(validate=Length(1, LONGEST_ID), metadata={"description": description})


class CodatId(fields.String):
    """An id of Codat's; a GUID matches in any case."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        return folded(super()._deserialize(value, attr, data, **kwargs))


def codat_id_filter(description: str) -> CodatId:
    """A filter by a Codat id."""
    return CodatId(validate=Length(1, LONGEST_ID), metadata={"description": description})


def word_filter(values: tuple[str, ...], description: str) -> fields.String:
    """A filter by a word of an enumeration."""
    return fields.String(validate=OneOf(values), metadata={"description": description})


class UtcDateTime(fields.AwareDateTime):
    """A time in ISO 8601; UTC without a zone."""

    def __init__(self, description: str) -> None:
        super().__init__(format="iso", default_timezone=UTC, metadata={"description": description})

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> datetime:
        if not isinstance(value, str) or len(value) > LONGEST_TIME:
            raise self.make_error("invalid", input=value, obj_type="time in ISO 8601")
        try:
            return super()._deserialize(value, attr, data, **kwargs).astimezone(UTC)
        except OverflowError as error:
            raise self.make_error("invalid", input=value, obj_type="time in ISO 8601") from error


class AtQuery(NoParameters):
    """A connection as it was believed to be."""

    at = UtcDateTime("What was believed at this time.")


class TimelineQuery(PageQuery):
    """A timeline, also as it was."""

    at = UtcDateTime("Only what was handled by this time.")
    outcome = word_filter(tuple(TimelineOutcome), "Only entries with this outcome.")


class DaysQuery(NoParameters):
    """How far to look back."""

    days = Limit(
        load_default=30, validate=Range(1, 400), metadata={"description": "How many days to look back."}
    )


class FunnelQuery(DaysQuery):
    """Which connections the funnel counts."""

    platform = id_filter("Only connections to the platform of this name.")
    source_type = id_filter("Only connections of this source type.")


class StateQuery(PageQuery):
    """A list of connections, by state."""

    state = word_filter(STATES, "Only connections in this state.")


class ConnectionQuery(StateQuery):
    """A list of connections."""

    company_id = codat_id_filter("Only connections of this company.")
    merchant_id = id_filter("Only connections of the companies that belong to this id of yours.")
    platform = id_filter("Only connections to the platform with this key or name.")
    since = UtcDateTime("Only connections first heard of at this time or later.")
    until = UtcDateTime("Only connections first heard of before this time.")


class CompanyQuery(PageQuery):
    """A list of companies."""

    merchant_id = id_filter("Only the companies that belong to this id of yours, deleted ones too.")


class EventQuery(PageQuery):
    """A list of messages."""

    status = word_filter(EVENT_STATUSES, "Only messages with this status.")
    company_id = codat_id_filter("Only messages about this company.")
    merchant_id = id_filter("Only messages about the companies that belong to this id of yours.")
    connection_id = codat_id_filter("Only messages that name this connection.")
    type = id_filter("Only messages of this type.")
    since = UtcDateTime("Only messages that arrived at this time or later.")
    until = UtcDateTime("Only messages that arrived before this time.")


class AuditQuery(PageQuery):
    """A list of actions."""

    kind = word_filter(tuple(ActorKind), "Only actions of this kind of actor.")
    actor = id_filter("Only actions of this operator, key or command's user.")
    action = id_filter("Only this action.")
    target = id_filter("Only actions on the object with this id.")
    outcome = id_filter("Only actions with this outcome.")
    since = UtcDateTime("Only actions at this time or later.")
    until = UtcDateTime("Only actions before this time.")


class NotificationQuery(PageQuery):
    """A list of notifications."""

    connection_id = codat_id_filter("Only notifications about this connection.")
    company_id = codat_id_filter("Only notifications about connections of this company.")
    merchant_id = id_filter("Only notifications about the companies that belong to this id of yours.")
    subscriber_id = id_filter("Only notifications to this subscriber, or through this channel.")
    type = word_filter(NOTIFICATION_TYPES, "Only notifications of this type.")
    since = UtcDateTime("Only notifications decided at this time or later.")
    until = UtcDateTime("Only notifications decided before this time.")
    status = word_filter(NOTIFICATION_STATUSES, "Only notifications with this status.")
