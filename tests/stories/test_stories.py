"""Every story end to end: a simulated Codat, real HTTP, the whole service as real processes."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from processor.simulator import (
    STORIES,
    ProductClient,
    SimulatorClient,
    SimulatorConfig,
    SimulatorServer,
    Story,
    play,
)
from tests.support import messages
from tests.support.ports import own_port
from tests.support.service import ROOT, Service

LIMIT_S = 200.0
KEY = "stories"
RETRY_SCALE = 0.1
"""Codat sends again after 5 s, then after 5 minutes: longer than a story waits for what was refused twice."""

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def stage() -> Iterator[tuple[str, str]]:
    """The addresses of a simulated Codat and of the service that it talks to."""
    port = own_port()
    with tempfile.TemporaryDirectory(prefix="codat-") as folder:
        service = Service(
            Path(folder), API_KEYS=KEY, CODAT_API_KEY=KEY, CODAT_API_URL=f"http://127.0.0.1:{port}"
        )
        config = SimulatorConfig(
            port=port,
            api_key=KEY,
            webhook_url=f"{service.url}/webhooks/codat",
            webhook_secret=messages.SECRET,
            alert_authorization=messages.AUTHORIZATION,
            retry_scale=RETRY_SCALE,
        )
        with SimulatorServer(config) as codat, service:
            yield codat.url, service.url


@pytest.mark.parametrize("story", STORIES, ids=[story.name for story in STORIES])
def test_the_story_is_told_exactly_as_expected(stage: tuple[str, str], story: Story) -> None:
    codat, ours = stage
    said: list[str] = []
    with SimulatorClient(codat) as simulator, ProductClient(ours, KEY) as product:
        assert play(story, simulator, product, said.append, LIMIT_S, settle_s=LIMIT_S), "\n".join(said)


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "processor", "demo", "--headless", *arguments],
        env={**environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_plays_a_story_prints_each_step_and_exits_with_0() -> None:
    played = demo("--story", "cancelled")
    assert played.returncode == 0, played.stdout + played.stderr
    assert "told:  connection.authorization_failed" in played.stdout
    assert "cancelled: as expected" in played.stdout


def test_the_command_exits_with_1_when_what_was_expected_did_not_come_in_time() -> None:
    # Of this story an end is told, which is checked for three seconds first: that cannot come at once.
    played = demo("--story", "revoked-and-back", "--within", "0")
    assert played.returncode == 1, played.stdout + played.stderr
    assert "not as expected" in played.stdout
