"""Callers of the webhook."""

import pytest
from flask.testing import FlaskClient

from tests.support.serving import serving


@pytest.fixture(scope="session")
def steady(engine_url: str) -> FlaskClient:
    """A caller of a service with the usual settings, for many examples on one store."""
    return serving(engine_url, lasting=True)


@pytest.fixture
def caller(redis_url: str, steady: FlaskClient) -> FlaskClient:
    """A caller of the same service on an empty store."""
    del redis_url  # the fixture emptied the store
    return steady.application.test_client()
