"""The JSON API under ``/v1``, and its description at ``/openapi.json``."""

from flask import Flask

from processor.web.v1 import (
    audit,
    auth,
    companies,
    connections,
    events,
    funnel,
    integrations,
    notifications,
    people,
    platform_requests,
    products,
    stats,
    subscribers,
)
from processor.web.v1.api import ProblemApi, describe

CALLS = (
    companies.journey_calls,
    products.calls,
    platform_requests.calls,
    people.calls,
    integrations.calls,
    connections.journey_calls,
    connections.calls,
    companies.calls,
    events.calls,
    notifications.calls,
    subscribers.calls,
    stats.calls,
    funnel.calls,
    audit.calls,
)
"""The calls in the order of the OpenAPI document."""


def register(app: Flask) -> None:
    """Add the calls and their authentication to ``app``."""
    auth.register(app)
    api: ProblemApi = describe(app)
    for calls in CALLS:
        api.register_blueprint(calls.blueprint)  # type: ignore[no-untyped-call]
