"""Calls about subscribers: management, secrets, test messages, redelivery."""

from http import HTTPStatus
from typing import Any

from marshmallow import fields
from marshmallow.validate import Range

from processor.delivery.lane import Mode
from processor.delivery.rules import HIGHEST_RATE, LOWEST_RATE, SUBSCRIBABLE_TYPES
from processor.errors import Invalid
from processor.web.dependencies import get_container
from processor.web.v1.bodies import RequestBodySchema
from processor.web.v1.calls import Calls
from processor.web.v1.delivery_schemas import BUILT_IN_LANES, AttemptSchema, StandingSchema
from processor.web.v1.fields import (
    ResponseSchema,
    flag,
    moment,
    nullable,
    page_of,
    switch,
    text,
    texts,
    texts_by_name,
    word,
)
from processor.web.v1.parameters import NoParameters, PageQuery, id_filter

calls = Calls(
    "subscribers",
    "Who is told by signed webhooks",
    ids={"subscriber_id": "A subscriber's id.", "notification_id": "A notification's id."},
)

ONLY_TO = f"Only to this subscriber, wanted or not, or only to {BUILT_IN_LANES}."
TRACEPARENT_DESCRIPTION = "Whether each request has the header `traceparent` (W3C) of its message's trace."
ORDERED_DESCRIPTION = "Notifications of one connection never overtake each other."
RATE_DESCRIPTION = f"The most requests a second, from {LOWEST_RATE:g}; 0: no limit."


class ChangeSubscriberBody(RequestBodySchema):
    """Changes of a subscriber; missing members stay as they are."""

    url = fields.String(metadata={"description": "Where notifications are posted.", "format": "uri"})
    types = fields.List(
        fields.String(),
        allow_none=True,
        metadata={
            "description": f"Only these types: {', '.join(SUBSCRIBABLE_TYPES)}; none, or `null`: all but"
            " those of operators."
        },
    )
    headers = texts_by_name("Headers sent with each request; those that this service sets are refused.")
    description = fields.String(allow_none=True, metadata={"description": "A note of yours."})
    ordered = switch(ORDERED_DESCRIPTION)
    traceparent = switch(TRACEPARENT_DESCRIPTION)
    rate_per_s = fields.Float(
        allow_none=True,
        validate=Range(min=0, max=HIGHEST_RATE),
        metadata={"description": RATE_DESCRIPTION},
    )
    enabled = switch("`true` also ends a pause: what waited is sent.")


class AddSubscriberBody(ChangeSubscriberBody):
    """A new subscriber."""

    url = fields.String(
        required=True, metadata={"description": "Where notifications are posted.", "format": "uri"}
    )


class TestedSchema(AttemptSchema):
    """The outcome of a test message."""

    id = text("The test message's id.")


class SubscriberSchema(StandingSchema):
    """A subscriber and the state of its lane."""

    id = text("Its id.")
    url = text("Where notifications are posted.")
    types = texts("The types that it gets; none: all.")
    description = text("A note of yours.")
    ordered = flag(ORDERED_DESCRIPTION)
    traceparent = flag(TRACEPARENT_DESCRIPTION)
    rate_per_s = fields.Float(
        required=True, validate=Range(min=0), metadata={"description": RATE_DESCRIPTION}
    )
    headers = texts("The names of its own headers; their values are never shown.")
    created_at = moment("When it was added.")
    enabled = flag("Whether anything is sent now.")
    status = word(Mode, "`slow`: only probed; `paused`: 5 days without success; `gone`: it answered 410.")
    status_since = moment("Since when it is paused, disabled or gone.", null=True)
    old_secret_until = moment("Until when an older secret signs too.", null=True)
    last_test = nullable(TestedSchema, "The newest test message.")


class SubscriberWithSecretSchema(SubscriberSchema):
    """A subscriber with its secret, which is shown only once."""

    secret = text("Verifies our signatures (`whsec_…`, Standard Webhooks).")


class TestMessageSchema(ResponseSchema):
    """A test message that was sent."""

    id = text("The test message's id.")
    subscriber_id = text("Who gets it.")
    status = word(("pending",), "What comes of it is the subscriber's `last_test`.")


class RedeliverQuery(NoParameters):
    """The receiver of a redelivery, as a parameter."""

    subscriber_id = id_filter(ONLY_TO)


class RedeliverBody(RequestBodySchema):
    """The receiver of a redelivery, in the body."""

    subscriber_id = id_filter(ONLY_TO)


class RedeliveredSchema(ResponseSchema):
    """A notification that is being redelivered."""

    id = text("The notification's id.")
    notification_id = text("The same.")
    status = word(("pending",), "Its status now.")
    lanes = texts("Where it is sent again.")


@calls.get("/subscribers", page_of(SubscriberSchema), query=PageQuery)
def list_subscribers(**query: Any) -> dict[str, Any]:
    """Subscribers, newest first"""
    return get_container().subscriber_service.list(**query)


@calls.post(
    "/subscribers",
    SubscriberWithSecretSchema,
    status=HTTPStatus.CREATED,
    body=AddSubscriberBody,
    errors=(HTTPStatus.CONFLICT,),
)
def add_subscriber(body: dict[str, Any]) -> dict[str, Any]:
    """Add a subscriber

    The answer holds its secret, which is not shown again.
    """
    return get_container().subscriber_service.add(**body)


@calls.get("/subscribers/<subscriber_id>", SubscriberSchema)
def get_subscriber(subscriber_id: str) -> dict[str, Any]:
    """One subscriber"""
    return get_container().subscriber_service.show(subscriber_id)


@calls.patch("/subscribers/<subscriber_id>", SubscriberSchema, body=ChangeSubscriberBody)
def change_subscriber(body: dict[str, Any], subscriber_id: str) -> dict[str, Any]:
    """Change a subscriber, enable it, or disable it

    While it is disabled nothing new waits for it; what waits already stays. While it is paused everything
    waits, and enabling it sends what waited.
    """
    return get_container().subscriber_service.change(subscriber_id, **body)


@calls.delete("/subscribers/<subscriber_id>")
def remove_subscriber(subscriber_id: str) -> None:
    """Remove a subscriber

    What waits for it is not sent.
    """
    get_container().subscriber_service.remove(subscriber_id)


@calls.post("/subscribers/<subscriber_id>/rotate", SubscriberWithSecretSchema, status=HTTPStatus.OK)
def rotate_secret(subscriber_id: str) -> dict[str, Any]:
    """Give a subscriber a new secret

    For 24 hours every message carries two signatures: by the new secret and by the old one.
    """
    return get_container().subscriber_service.rotate(subscriber_id)


@calls.post("/subscribers/<subscriber_id>/test", TestMessageSchema, status=HTTPStatus.ACCEPTED)
def test_subscriber(subscriber_id: str) -> dict[str, Any]:
    """Send a test message

    Of the type `subscriber.test`, once, also to a subscriber that is disabled.
    """
    return get_container().subscriber_service.send_test(subscriber_id)


@calls.post(
    "/notifications/<notification_id>/redeliver",
    RedeliveredSchema,
    status=HTTPStatus.ACCEPTED,
    body=RedeliverBody,
    body_required=False,
    query=RedeliverQuery,
    errors=(HTTPStatus.CONFLICT,),
)
def redeliver_notification(
    body: dict[str, Any], notification_id: str, subscriber_id: str | None = None
) -> dict[str, Any]:
    """Send a notification again, under the same id

    To every enabled subscriber that wants its type, or to one that is named as a parameter or in the body;
    e-mails only where they are dead letters.
    """
    receiver_id = body.get("subscriber_id", subscriber_id)
    if subscriber_id not in (None, receiver_id):
        raise Invalid(errors={"subscriber_id": ["The parameter and the body name different ones."]})
    redelivery = get_container().redelivery_service.redeliver(notification_id, subscriber_id=receiver_id)
    return {
        "id": notification_id,
        "notification_id": notification_id,
        "status": "pending",
        "lanes": list(redelivery.lanes),
    }
