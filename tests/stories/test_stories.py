"""Every story end to end: a simulated Codat, real HTTP, the whole service as real processes."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
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
from tests.support import messages, preloaded
from tests.support.effort import in_turn
from tests.support.engines import cluster, own_engine, watched_service
from tests.support.ports import own_port
from tests.support.service import ROOT, Service

LIMIT_S = 200.0
KEY = "stories"
RETRY_SCALE = 0.1
"""Codat retries after 5 s and then after 5 minutes, which is longer than a story waits."""

pytestmark = pytest.mark.timeout(600)


@contextlib.contextmanager
def _stage(folder: Path, **environ: str) -> Iterator[tuple[str, str]]:
    """The URLs of a simulated Codat and of the service that it sends messages to."""
    folder.mkdir(parents=True, exist_ok=True)
    port = own_port()
    service = Service(
        folder, API_KEYS=KEY, CODAT_API_KEY=KEY, CODAT_API_URL=f"http://127.0.0.1:{port}", **environ
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


@pytest.fixture(scope="module")
def stage() -> Iterator[tuple[str, str]]:
    """A stage for all stories, on the embedded engine."""
    with tempfile.TemporaryDirectory(prefix="codat-") as folder, _stage(Path(folder)) as urls:
        yield urls


@pytest.mark.parametrize("story", STORIES, ids=[story.name for story in STORIES])
def test_the_story_is_told_exactly_as_expected(stage: tuple[str, str], story: Story) -> None:
    _play(stage, story)


def run_demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``codat-processor demo --headless`` with ``arguments``."""
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    words = ["processor", "demo", "--headless", *arguments]
    return preloaded.run(words, env={**environ, "PYTHONPATH": str(ROOT)}, cwd=folder, timeout=LIMIT_S)


@pytest.mark.parametrize(
    ("arguments", "code", "sentences"),
    in_turn(
        [
            (
                ["--story", "cancelled"],
                0,
                ["told:  connection.authorization_failed", "cancelled: as expected"],
            ),
            # An end of access is verified for three seconds, so it cannot be told in zero.
            (["--story", "revoked-and-back", "--within", "0"], 1, ["not as expected"]),
        ],
        2,
    ),
)
def test_the_command_plays_a_story_prints_each_step_and_exits_with_1_unless_it_was_as_expected(
    arguments: list[str], code: int, sentences: list[str], tmp_path: Path
) -> None:
    process = run_demo(tmp_path, *arguments)
    assert process.returncode == code, process.stdout + process.stderr
    assert [sentence for sentence in sentences if sentence not in process.stdout] == []


@contextlib.contextmanager
def _cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Three primaries, and a plain server for RQ."""
    with cluster(folder / "engines", 3) as url, own_engine(folder / "queue") as queue_url:
        yield {"REDIS_URL": url, "QUEUE_REDIS_URL": queue_url}


@contextlib.contextmanager
def _sentinels(folder: Path) -> Iterator[dict[str, str]]:
    """Accepting, workers, clock and RQ reach the primary through the Sentinels."""
    with watched_service(folder / "engines", replicas=1) as url:
        yield {"REDIS_URL": url, "ACK_REPLICAS": "1"}


# At a desk the failovers of tests/faults have the other one of the two.
@pytest.mark.parametrize("engines", in_turn([_cluster, _sentinels], 2))
def test_the_stories_are_told_on_engines_of_others(
    engines: Callable[[Path], contextlib.AbstractContextManager[dict[str, str]]], tmp_path: Path
) -> None:
    with engines(tmp_path) as settings, _stage(tmp_path / "service", **settings) as stage:
        for story in in_turn(STORIES, len(STORIES)):
            _play(stage, story)


def _play(stage: tuple[str, str], story: Story) -> None:
    codat_url, service_url = stage
    lines: list[str] = []
    with SimulatorClient(codat_url) as simulator, ProductClient(service_url, KEY) as product:
        assert play(story, simulator, product, lines.append, LIMIT_S, settle_s=LIMIT_S), "\n".join(lines)
