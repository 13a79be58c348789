"""The conditions of a service that is already running."""

import redis

from processor.runtime.preflight.conditions import check_conditions
from processor.runtime.preflight.results import CheckStatus
from processor.store import keys
from tests.processor.runtime.preflight.conftest import settings


def test_what_is_wrong_with_a_service_that_runs_is_a_warning_with_advice(own_engine: str) -> None:
    """`check` found everything in order while a message lay in quarantine; a release still has to start."""
    assert list(check_conditions(settings(), own_engine)) == []
    with redis.Redis.from_url(own_engine) as client:
        client.zadd(keys.events_of(0, "quarantined"), {"msg_1": 1})
    (result,) = check_conditions(settings(), own_engine)
    assert (result.status, result.subject) == (CheckStatus.WARNING, "service")
    assert "1 authentic message is in quarantine" in result.sentence
    assert "Look at what Codat sent" in result.sentence
