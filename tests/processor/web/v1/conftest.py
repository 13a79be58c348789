"""The API on an empty engine, and somebody with a key."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.processor.web.v1.filling import KEY, Filling

Get = Callable[..., Any]
Call = Callable[..., TestResponse]


@pytest.fixture
def filling(redis_url: str) -> Iterator[Filling]:
    """The store and the application on it."""
    filling = Filling(redis_url)
    yield filling
    filling.close()


@pytest.fixture
def call(filling: Filling) -> Call:
    """Calls the API with a key; the answer."""
    client = filling.app.test_client()

    def call(path: str, method: str = "GET", **query: Any) -> TestResponse:
        return client.open(
            path, method=method, query_string=query, headers={"Authorization": f"Bearer {KEY}"}
        )

    return call


@pytest.fixture
def get(call: Call) -> Get:
    """Reads from the API with a key; the parsed answer, which must be a good one."""

    def get(path: str, **query: Any) -> Any:
        answer = call(path, **query)
        assert answer.status_code == 200, answer.text
        assert answer.mimetype == "application/json"
        return answer.json

    return get
