"""The simulator as a process of its own."""

import os
import signal
from pathlib import Path

import pytest

from processor.simulator import Generation, SimulatorConfig
from processor.simulator.__main__ import config_of
from processor.simulator.clients import http_client
from tests.support import preloaded


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_ends_well_when_told_to(tmp_path: Path, number: signal.Signals) -> None:
    words = ["processor.simulator", "--port", "0", "--api-key", "key"]
    with preloaded.running(words, env=os.environ, cwd=tmp_path) as (process, printed):
        line = printed.readline()
        assert line.startswith("Simulator listening on http://127.0.0.1:")
        url = line.split()[-1]
        headers = {"Authorization": SimulatorConfig(api_key="key").api_authorization}
        with http_client(base_url=url, headers=headers, timeout_s=60) as http:
            assert http.post("/simulator/companies", json={"name": "Corner Shop"}).status_code == 201
            assert http.get("/companies").json()["totalResults"] == 1
        process.send_signal(number)
        assert process.wait(60) == 0
        assert printed.read() == ""


def test_arguments_become_the_configuration() -> None:
    line = (
        "--host 0.0.0.0 --port 8123 --generations current,legacy --no-auto-sync --sync-s 2.5 "
        "--retry-scale 0.1 "
        "--webhook-url http://x/y --redirect-url http://x/return?c={connectionId} --senders 3 "
        "--webhook-secret whsec_YWJj --public-url http://shown.example/ --product-url http://x/"
    )
    config = config_of(line.split(" "))
    assert config.port == 8123
    assert config.generations == {Generation.CURRENT, Generation.LEGACY}
    assert config.auto_sync is False
    assert (config.sync_s, config.retry_scale, config.senders) == (2.5, 0.1, 3)
    assert config.webhook_url == "http://x/y"
    assert config.webhook_secret == "whsec_YWJj"
    assert config.base_url == "http://shown.example"


def test_no_arguments_are_the_defaults() -> None:
    config = config_of([])
    assert config.auto_sync is True
    assert config.webhook_url is None
    assert config.webhook_secret.startswith("whsec_")
    assert config.webhook_secret != config_of([]).webhook_secret


@pytest.mark.parametrize("arguments", [["--generations", "future"], ["--port", "x"], ["--nothing"]])
def test_wrong_arguments_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        config_of(arguments)
    assert exited.value.code == 2
    assert arguments[0] in capsys.readouterr().err
