"""The JSON API under ``/v1``, and its description at ``/openapi.json``."""

from flask import Flask

from processor.web.v1 import (
    auth,
    companies_read,
    connections,
    events,
    journey_companies,
    journey_connections,
    journey_integrations,
    notifications,
    stats,
    subscribers,
)
from processor.web.v1.api import ProblemApi, describe

SUBJECTS = (
    journey_companies,
    journey_integrations,
    journey_connections,
    connections,
    companies_read,
    events,
    notifications,
    subscribers,
    stats,
)
"""One module for each subject; each brings its ``calls``."""


def register(app: Flask) -> None:
    """Let ``app`` answer the calls of the API, for those who send a key."""
    auth.register(app)
    api: ProblemApi = describe(app)
    for subject in SUBJECTS:
        api.register_blueprint(subject.calls.blueprint)  # type: ignore[no-untyped-call]
