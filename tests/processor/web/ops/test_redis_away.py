"""The operators' pages while Redis is away."""

from pathlib import Path

from processor.runtime.embedded_engine import Engine
from tests.processor.web.ops.operating import PASSWORD, SEAL, Operator, basic
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
