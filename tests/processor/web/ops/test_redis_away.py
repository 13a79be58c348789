"""The operators' pages while Redis is away."""

from pathlib import Path
from typing import Any

from redis import Redis

from processor.runtime.embedded_engine import Engine
from tests.processor.web.ops.operating import PASSWORD, SEAL, Operator, basic
from tests.processor.web.ops.test_people import named as named
from tests.processor.web.ops.test_people import signed_in
from tests.processor.web.v1.filling import Filling
from tests.support.serving import PROBLEM, patient, serving


def test_while_redis_is_away_every_page_says_so(data_dir: Path) -> None:
    with Engine(data_dir) as engine:
        url = engine.url
    client = serving(url, hurried=True, OPERATOR_PASSWORD=PASSWORD)
    for path in ("/ops", "/ops/connections", "/ops/connections/x", "/ops/events", "/ops/search?q=x"):
        answer = client.get(path, headers={"Authorization": basic()})
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.mimetype == "text/html"
        assert "Redis does not answer" in answer.text
    assert client.get("/ops").status_code == 401


def test_while_redis_is_away_an_action_says_so(data_dir: Path) -> None:
    with Engine(data_dir) as engine:
        filling = Filling(patient(engine.url), OPERATOR_PASSWORD=PASSWORD)
        operator = Operator(filling)
        filling.let_die()
        seal = SEAL.search(operator.open("/ops/events/broken").text)
        assert seal is not None
    answer = operator.send("/ops/events/broken", seal=seal[1])
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    filling.close()


def test_the_api_still_answers_with_problems(filling: Filling) -> None:
    assert filling.app.test_client().get("/v1/stats").mimetype == PROBLEM


def test_a_session_reads_the_pages_while_redis_refuses_writes(named: Filling, store: "Redis[Any]") -> None:
    """Lengthening the session is a write: without it every page was 503 just when operators needed them."""
    operator = signed_in(named, "viewers-name")
    store.config_set("min-replicas-to-write", 1)
    try:
        assert "Too few replicas" in operator.read("/ops")
        assert "Connections" in operator.read("/ops/connections")
    finally:
        store.config_set("min-replicas-to-write", 0)
