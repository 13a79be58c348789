"""A failure that somebody is shown is found by its reference: one log line, and the operators' search."""

import logging
import re
from datetime import timedelta

import pytest
from redis import Redis

from processor.clock import to_iso
from processor.store import failures, keys
from processor.store.failures import Failure
from tests.processor.web.conftest import OpenPlace
from tests.processor.web.ops.operating import PASSWORD, Operator
from tests.processor.web.v1.filling import START

REFERENCE = re.compile(r"Reference for support: <code>([^<]+)</code>")


def test_the_reference_on_a_merchants_page_leads_to_the_failure(
    open_place: OpenPlace, caplog: pytest.LogCaptureFixture
) -> None:
    """A merchant read out "Reference for support", and neither the log nor the pages knew it."""
    place = open_place(OPERATOR_PASSWORD=PASSWORD)
    company_id, token = place.company()
    connection_id = place.linked(company_id)
    visitor = place.visitor()
    question = visitor.open(f"/connect/{token}/connections/{connection_id}/unlink")
    place.codat.stop()
    with caplog.at_level(logging.WARNING):
        answer = visitor.press(question, "Disconnect").answer
    match = REFERENCE.search(answer.text)
    assert match is not None, answer.text
    lines = [line for line in caplog.records if getattr(line, "reference", None) == match[1]]
    assert len(lines) == 1
    shown = Operator(place).read("/ops/search", q=match[1])
    assert "A failure that somebody was shown" in shown
    assert "Place /connect" in shown
    assert company_id in shown
    assert token not in shown


def test_what_a_stranger_asks_for_in_vain_is_not_kept(open_place: OpenPlace, redis_url: str) -> None:
    """Addresses that lead nowhere must not push out what an operator looks for."""
    place = open_place(OPERATOR_PASSWORD=PASSWORD)
    for path in ("/connect/nobody", "/nowhere", "/v1/companies", "/ops"):
        assert place.app.test_client().get(path).status_code < 500
    with Redis.from_url(redis_url) as client:
        assert not client.exists(keys.failures(), keys.failure_times())


def test_the_newest_are_kept_for_a_bounded_time(store: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without bounds a bad day of Codat's filled Redis."""
    monkeypatch.setattr(failures, "MAX_FAILURES", 3)
    for number in range(5):
        at = START + timedelta(minutes=number)
        failures.record(store, Failure(f"r{number}", to_iso(at), 502, "t", "d", "/connect"), at)
    kept = [failures.find(store, f"r{number}") is not None for number in range(5)]
    assert kept == [False, False, True, True, True]
    late = START + failures.RETENTION + timedelta(minutes=10)
    failures.record(store, Failure("late", to_iso(late), 502, "t", "d", "/ops"), late)
    assert failures.find(store, "r4") is None
    assert failures.find(store, "late") is not None
    assert 0 < store.ttl(keys.failures()) <= failures.RETENTION.total_seconds()
