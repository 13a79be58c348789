"""Schemas of connections: link sessions, representation, and timeline."""

from marshmallow import fields
from marshmallow.validate import OneOf

from handlers.effects import DecisionOutcome
from handlers.events import Aspect, LinkStatus, Source
from handlers.facts import FactKind
from handlers.milestones import NotificationType
from handlers.timeline import TimelineOutcome
from processor.journey.company_fields import LONGEST_PLATFORM_KEY
from processor.journey.field_checks import LONGEST_STATE
from processor.resources.queries import STATES
from processor.resources.serializers import UNREADABLE
from processor.settings import web_addresses
from processor.web.v1.bodies import RequestBodySchema
from processor.web.v1.fields import (
    ResponseSchema,
    by_name,
    flag,
    language_tag,
    many,
    moment,
    nullable,
    number,
    optional,
    page_of,
    platform_members,
    required,
    text,
    texts_by_name,
    word,
)


class LinkBody(RequestBodySchema):
    """Options of a link."""

    parameters = texts_by_name(
        "Query parameters to add to `link_url`; Codat hands them on to your redirect URL."
    )
    return_url = optional(
        "Where the pages' button leads after this link, instead of the `return_url` of the"
        " sign-up; its origin stands in `RETURN_URL_ORIGINS`.",
        web_addresses.LONGEST,
        format="uri",
    )
    state = optional(
        "Your own text, handed on to `return_url` as its parameter `state`.",
        LONGEST_STATE,
    )
    lang = language_tag(
        "The language of the page to which the user comes back: added to `link_url`, and handed on where the"
        " redirect URL at Codat has `lang={lang}`."
    )


class ConnectBody(LinkBody):
    """The choice of a platform."""

    platform_key = required(
        "The key of an enabled platform, as `GET /v1/integrations` lists it.", LONGEST_PLATFORM_KEY
    )


class StartedSchema(ResponseSchema):
    """A connection to be authorised."""

    connection_id = text("The connection's id.")
    id = text("The same.")
    company_id = text("Its company.")
    link_url = text(
        "Where to send the user now: works once, for a day at most (some platforms: an hour).", format="uri"
    )
    status = word(LinkStatus, "Codat's status of the connection.")
    platform_key, platform_name, source_type = platform_members()


class DoneSchema(ResponseSchema):
    """A change made by Codat."""

    connection_id = text("The connection's id.")
    id = text("The same.")
    company_id = text("Its company.")
    status = word(LinkStatus, "Codat's status of the connection now.")
    event_id = text("The event by which it becomes known here, within moments.")


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
    paused_until = moment("Until when Codat pauses reading it.", null=True)
    current = flag("Whether it belongs to the current authorisation.")


class CheckSchema(ResponseSchema):
    """A milestone that is verified with Codat before it is told."""

    kind = word(NotificationType, "The notification that waits.")
    at = moment("When it happened, by Codat's clock.")
    since = moment("Since when it waits.")


class OpenSchema(ResponseSchema):
    """Questions to Codat that are not answered yet."""

    checks = many(CheckSchema, "News that is checked before it is told.")
    claims = number("Alerts without a time that wait for Codat's answer.")


class LedgerEntrySchema(ResponseSchema):
    """One notification that was decided."""

    id = text("The notification's id.")
    type = word(NotificationType, "Its type.")
    at = moment("When the milestone was, by Codat's clock.")


class ConnectionSchema(ResponseSchema):
    """The stored state of a connection."""

    id = text("The connection's id.")
    connection_id = text("The same.")
    company_id = text("Its company.", null=True)
    merchant_id = text("Your own id of the company.", null=True)
    platform_key, platform_name, source_type = platform_members()
    integration_id = text("Codat's id of the integration.", null=True)
    account_name = text("The account, shop or business behind it, where Codat shows one.", null=True)
    previous_account_name = text("The one before, where another account was connected since.", null=True)
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
    waits_for_computer = flag("Whether its first sync waits until that computer is on.")
    paused_until = moment("When reading goes on, where Codat pauses all that is being read.", null=True)
    first_sync_missing = flag(
        "Access is given and Codat has queued nothing to read: `POST /v1/companies/{id}/read` has it read."
    )
    end_expected = flag(
        "Access ended at once after a complete first sync, as with a connector on the customer's computer"
        " that is set to be read once."
    )
    error = nullable(ErrorSchema, "Of the newest failed attempt or end of access.")
    open = fields.Nested(OpenSchema, required=True)
    notifications_told = many(LedgerEntrySchema, "What was told, oldest first.")


ConnectionPageSchema = page_of(ConnectionSchema)


class DecisionSchema(ResponseSchema):
    """The decision about a milestone."""

    type = word(NotificationType, "The notification it is about.")
    verdict = word(DecisionOutcome, "What was decided.")
    reason = text("Why.")
    notification_id = text("The notification's id.", null=True)


class TimelineEntrySchema(ResponseSchema):
    """The effect of one message on a connection."""

    id = text("The entry's id.")
    at = moment("When it happened, by Codat's clock.")
    known_at = moment("When we learnt it.")
    event_id = text("The message.")
    event_type = text("Its type, in Codat's spelling.")
    source = word(Source, "Where it came from.")
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
    handled_at = moment("When it was handled: later than `known_at` where it had to be tried again.")


class AsOfSchema(ResponseSchema):
    """What was believed at a time of the past, and why."""

    at = moment("The time.")
    complete = flag(
        "Whether all of that time is known: false where facts were summed up since, or a data type may have"
        " had an outcome that a newer one replaced."
    )
    because = nullable(TimelineEntrySchema, "The last change of the state until then.")


class ConnectionAtSchema(ConnectionSchema):
    """A connection as it is, or as it was believed to be."""

    as_of = fields.Nested(AsOfSchema, metadata={"description": "With `at` only."})


class FactSchema(ResponseSchema):
    """One fact about a connection."""

    kind = word(FactKind, "What happened.")
    at = moment("When, by Codat's clock.")
    known_at = moment("When we learnt it.")
    event_id = text("The message or answer.")
    status = word(LinkStatus, "Codat's status that was seen, or the reason of an end.", null=True)
    data_types = by_name(fields.String, "The dataset status of each data type of a read.")
    claimed = flag("Whether it rests on an alert that Codat did not confirm.")
    counts = flag("Whether it counts: false where an exact message about the same change came.")


class ClaimSchema(ResponseSchema):
    """What an alert claims that Codat has to confirm first."""

    event_id = text("The alert.")
    arrived_at = moment("When it came.")
    since = moment("Since when Codat is asked.")
    old = word(LinkStatus, "The claimed status before.", null=True)
    new = word(LinkStatus, "The claimed status; `null` where it claims a read.", null=True)
    settled_by = word(Aspect, "What Codat is asked for.")


class FactsSchema(ResponseSchema):
    """Everything from which the state of a connection is computed."""

    id = text("The connection's id.")
    facts = many(FactSchema, "In the order in which they are folded, by Codat's time.")
    claims = many(ClaimSchema, "Alerts without a time, as long as Codat has not answered.")
    summed_up_until = moment("Facts of this time and before were summed up.", null=True)
