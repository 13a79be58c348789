"""What is wrong is on every surface at once, with since when, and is gone when it is over."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from handlers.effects import Ask
from handlers.events import Aspect
from processor.clock import to_ms
from processor.codat.client import CodatClient
from processor.codat.rate_limit import Priority
from processor.codat.rate_limited_transport import client_for
from processor.conditions import evaluation
from processor.conditions.facts import gather
from processor.conditions.model import Condition
from processor.container import Container, for_worker
from processor.errors import CodatError
from processor.settings.loading import load
from processor.simulator import SimulatorConfig, SimulatorServer
from processor.store import clock_skew, keys, questions
from processor.store.damaged_records import unreadable_records
from tests.processor.web.ops.operating import PASSWORD, basic
from tests.support import cells, messages
from tests.support.applications import lent_app
from tests.support.messages import signed
from tests.support.ports import own_port
from tests.support.serving import ADDRESS, ENVIRON, kept
from tests.support.workbench import Moving, Workbench

KEY = "key-of-a-caller"
CODAT_KEY = "key-at-codat"
WRONG = "whsec_" + "d3JvbmctYnV0LXZhbGlkLWJhc2U2NA=="
Make = Callable[..., "Service"]


class Service:
    """The application on an engine, with a clock of the test's."""

    def __init__(self, redis_url: str, clock: Moving, **environ: str) -> None:
        given = {**ENVIRON, "API_KEYS": KEY, "OPERATOR_PASSWORD": PASSWORD, "REDIS_URL": redis_url, **environ}
        self.clock = clock
        self.container: Container = dataclasses.replace(kept(for_worker(load(given))), clock=clock)
        self.http: FlaskClient = lent_app(self.container).test_client()

    def post(self, body: bytes, **signing: Any) -> int:
        """The status with which a message is answered."""
        headers = signed(body, **signing)
        return self.http.post(ADDRESS, data=body, headers=headers).status_code

    def ready(self) -> dict[str, dict[str, Any]]:
        """The conditions of ``/readyz`` by their code."""
        return {item["code"]: item for item in self.http.get("/readyz").get_json().get("conditions", [])}

    def stats(self) -> dict[str, Any]:
        """``/v1/stats``."""
        answer = self.http.get("/v1/stats", headers={"Authorization": f"Bearer {KEY}"})
        assert answer.status_code == 200
        return dict(answer.get_json())

    def metric(self, name: str, **labels: str) -> float:
        """The value of one sample in ``/metrics``."""
        families = text_string_to_metric_families(self.http.get("/metrics").get_data(as_text=True))
        (value,) = [
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return float(value)

    def ops(self) -> str:
        """The overview's page."""
        answer = self.http.get("/ops", headers={"Authorization": basic()})
        assert answer.status_code == 200
        return answer.get_data(as_text=True)

    def says(self, code: str) -> Condition | None:
        """The condition as the list has it; it must be on every surface, or on none."""
        ready = self.ready()
        results = {
            condition.code: condition
            for condition in evaluation.current(
                self.container.redis, self.container.settings, now=self.clock()
            )
        }
        there = code in results
        assert (code in ready) == there
        assert (code in {condition["code"] for condition in self.stats()["conditions"]}) == there
        labels = {"code": code, "severity": results[code].severity.value} if there else {"code": code}
        assert self.metric("codat_condition", **labels) == there
        if there:
            assert results[code].sentence.split(": ")[0].replace("'", "&#39;") in self.ops()
        return results.get(code)


@pytest.fixture
def make(redis_url: str) -> Make:
    """Makes services on one engine."""
    return lambda **environ: Service(redis_url, Moving(datetime.now(UTC)), **environ)


@pytest.fixture
def codat() -> Iterator[SimulatorServer]:
    """A simulated Codat."""
    with SimulatorServer(SimulatorConfig(api_key=CODAT_KEY)) as server:
        yield server


def asking(service: Service, url: str, key: str = CODAT_KEY) -> CodatClient:
    """A client of Codat as the service has it, with another address or key."""
    settings = dataclasses.replace(service.container.settings, codat_api_url=url, codat_api_key=key)
    client = client_for(settings, service.container.redis, Priority.JOURNEY, service.clock)
    assert client is not None
    return client


def test_that_codat_is_dead_is_on_every_surface_until_it_answers(make: Make, codat: SimulatorServer) -> None:
    """Every choice of a platform failed; 13 minutes later the overview said that all is well."""
    service = make()
    with pytest.raises(CodatError):
        asking(service, f"http://127.0.0.1:{own_port()}").ping()

    service.clock.forward(780)
    dead = service.says("codat_unreachable")
    assert dead is not None
    assert dead.since is not None
    assert "A part of it does not work" in service.ops()
    assert service.metric("codat_api_requests_total", status="unreachable") == 3

    asking(service, codat.url).ping()
    assert service.says("codat_unreachable") is None
    assert service.metric("codat_api_requests_total", status="200") == 1
    assert service.metric("codat_api_request_seconds_count", status="200") == 1
    assert service.stats()["codat"]["calls"]["failing_since"] is None


def test_that_codat_refuses_our_key_is_on_every_surface_until_it_takes_it(
    make: Make, codat: SimulatorServer
) -> None:
    """The key was revoked in the portal, and nothing but a merchant's page said so."""
    service = make()
    with pytest.raises(CodatError):
        asking(service, codat.url, "revoked").ping()
    refused = service.says("codat_key_refused")
    assert refused is not None
    assert "CODAT_API_KEY" in refused.advice
    assert "revoked" not in service.ops()

    asking(service, codat.url).ping()
    assert service.says("codat_key_refused") is None


def test_messages_with_a_wrong_secret_are_named_at_once_and_until_one_is_authentic(make: Make) -> None:
    """A secret was copied wrongly: six messages were refused, and no page or figure showed it."""
    service = make()
    for number in range(6):
        assert service.post(messages.connected("c1", "n1"), event_id=f"msg_{number}", secret=WRONG) == 401

    refused = service.says("messages_refused")
    assert refused is not None
    assert refused.sentence.startswith("6 messages were refused, the last because no signature matches")
    assert "add-secret" in refused.advice
    assert service.metric("codat_refused_messages_total", reason="signature") == 6
    assert service.stats()["codat"]["refused"]["by_reason"]["signature"] == 6

    assert service.post(messages.connected("c1", "n1")) == 202
    assert "messages_refused" not in service.ready()
    (calm,) = [
        condition for condition in service.stats()["conditions"] if condition["code"] == "messages_refused"
    ]
    assert calm["severity"] == "info"
    service.clock.forward(3 * 3600)
    assert service.says("messages_refused") is None


@pytest.mark.parametrize(
    ("environ", "headers", "reason"),
    [
        ({}, {}, "unsigned"),
        ({}, {"Authorization": "Basic bm8="}, "authorization"),
        ({"CODAT_SENDER_IPS": "192.0.2.1"}, {}, "address"),
        ({"MAX_BODY_BYTES": "10"}, {}, "too_large"),
    ],
)
def test_every_reason_is_counted_by_its_word(
    make: Make, environ: dict[str, str], headers: dict[str, str], reason: str
) -> None:
    service = make(**environ)
    answer = service.http.post(ADDRESS, data=messages.connected("c1", "n1"), headers=headers)
    assert answer.status_code in (401, 403, 413)
    assert service.metric("codat_refused_messages_total", reason=reason) == 1


def test_strangers_cost_redis_one_round_trip_however_many_they_are(make: Make) -> None:
    """Were each refusal written down by itself, whoever sends many would keep Redis busy."""
    service = make()
    before = service.container.redis.info("commandstats").get("cmdstat_hincrby", {}).get("calls", 0)
    for _ in range(50):
        assert service.post(b"{}", secret=WRONG) == 401
    service.ready()
    after = service.container.redis.info("commandstats")["cmdstat_hincrby"]["calls"]
    assert after - before == 4  # two of them for the use of the pool


def test_a_message_that_is_tried_again_dead_or_not_understood_is_a_condition(make: Make) -> None:
    """A message was tried again for 8 h 35 min, and the overview said that all is well."""
    service = make()
    for status, code in (
        ("failed", "message_retrying"),
        ("dead", "messages_dead"),
        ("quarantined", "messages_quarantined"),
    ):
        assert service.says(code) is None
        service.container.redis.zadd(keys.events_of(0, status), {"msg_1": to_ms(service.clock())})
        result = service.says(code)
        assert result is not None
        assert result.since is not None
        service.container.redis.zrem(keys.events_of(0, status), "msg_1")
        assert service.says(code) is None


def test_a_machine_whose_clock_is_off_is_named(make: Make) -> None:
    """A web's clock ran ten minutes ahead: every message was refused, and a missing worker was blamed."""
    service = make()
    container = service.container
    facts = gather(container.redis, container.settings, now=service.clock(), wall=lambda: time.time() + 600)
    (skew,) = [fact for fact in evaluation.evaluate(facts) if fact.code == "clock_skew"]
    assert f"The clock of {clock_skew.HOST} is off by 10 min" in skew.sentence
    assert "ahead of Redis" in skew.sentence
    right = gather(container.redis, container.settings, now=service.clock())
    assert "clock_skew" not in [item.code for item in evaluation.evaluate(right)]


def test_a_clock_that_differs_from_codats_is_named_until_it_is_right(
    make: Make, codat: SimulatorServer
) -> None:
    service = make()
    for ahead_s in (-600, -60, 0):
        service.clock.now = datetime.now(UTC) + timedelta(seconds=ahead_s)
        asking(service, codat.url).ping()
        assert (service.says("clock_skew") is not None) == bool(ahead_s)


def test_redis_near_its_connection_limit_is_a_warning(make: Make, redis_url: str) -> None:
    """With 40 connections in use deliveries stood still, and nothing said why."""
    service = make()
    with Redis.from_url(redis_url) as other:
        most = other.config_get("maxclients")["maxclients"]
        try:
            other.config_set("maxclients", other.info("clients")["connected_clients"] + 1)
            assert service.says("redis_connections_low") is not None
        finally:
            other.config_set("maxclients", most)
    assert service.says("redis_connections_low") is None


def test_questions_that_nobody_asks_are_a_condition(make: Make) -> None:
    """The worker that asks hung: news waited for Codat's answer, and everything said that all was well."""
    service = make()
    redis, now = service.container.redis, service.clock()
    ask = Ask(
        aspect=Aspect.CONNECTION,
        company_id="c1",
        connection_id="n1",
        not_before=now,
        deadline=now + timedelta(minutes=1),
        reason="a test",
    )
    with redis.pipeline() as pipe:
        questions.write(pipe, keys.cell_of(ask.company_id), [ask])
        pipe.execute()
    assert service.says("questions_overdue") is None
    service.clock.forward(300)
    overdue = service.says("questions_overdue")
    assert overdue is not None
    assert overdue.sentence == "1 question to Codat is due and not asked, the oldest for 5 min."
    assert questions.Questions(redis).take(service.clock(), 10)
    assert service.says("questions_overdue") is None


def test_a_record_that_cannot_be_read_is_a_condition_until_it_can(make: Make) -> None:
    """A connection's record held garbage: nothing but a line in the log named it."""
    service = make()
    redis = service.container.redis
    assert service.post(messages.connected("c1", "n1")) == 202
    Workbench(redis).drain_all()
    whole = redis.get(cells.where(redis, keys.connection, "n1"))
    redis.set(cells.where(redis, keys.connection, "n1"), b"ready\n1\n{garbage")
    answer = service.http.get("/v1/connections/n1", headers={"Authorization": f"Bearer {KEY}"})
    assert answer.get_json()["state"] == "unreadable"
    damaged = service.says("record_unreadable")
    assert damaged is not None
    assert damaged.sentence == "1 record cannot be read: connection n1."
    assert damaged.since is not None

    redis.set(cells.where(redis, keys.connection, "n1"), whole or b"")
    unreadable_records(redis, service.container.reader)  # the clock looks every five minutes
    assert service.says("record_unreadable") is None


def test_mails_without_links_are_a_condition(make: Make) -> None:
    environ = {"SMTP_URL": "smtp://127.0.0.1", "MAIL_FROM": "us@bank.example"}
    assert make(**environ).says("public_url_missing") is not None
    assert make(**environ, PUBLIC_URL="https://us.example").says("public_url_missing") is None


@pytest.mark.parametrize(("failures", "is_failing"), [(9, False), (10, True), (57, True)])
def test_a_receiver_fails_from_ten_failures_in_a_row_on(make: Make, failures: int, is_failing: bool) -> None:
    """Every delivery to a subscriber failed for 17 minutes beside a green "active"."""
    service = make(ALLOW_PRIVATE_SUBSCRIBERS="true")
    answer = service.http.post(
        "/v1/subscribers",
        json={"url": "http://127.0.0.1:9/hook"},
        headers={"Authorization": f"Bearer {KEY}"},
    )
    lane = answer.get_json()["id"]
    since_ms = to_ms(service.clock())
    service.container.redis.hset(
        keys.lane_state(lane), mapping={"failures": failures, "failing_since": since_ms, "delivered": 4}
    )
    result = service.says("receiver_failing")
    assert (result is not None) == is_failing
    if result is not None:
        assert result.subject == lane
        assert f"{failures} attempts in a row" in result.sentence
