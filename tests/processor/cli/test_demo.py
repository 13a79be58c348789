"""The demonstration shows what works."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from processor.cli.demo_settings import command_environ, share_settings
from processor.cli.demo_welcome import command_line
from processor.settings.loading import load
from tests.support import preloaded
from tests.support.ports import own_port
from tests.support.service import until

ROOT = Path(__file__).parents[3]
LIMIT_S = 60


def served(url: str) -> httpx.Response:
    """The answer of somebody who listens; asked again as long as Redis takes too long for it."""
    answers: list[httpx.Response] = []

    def is_served() -> bool:
        answers[:] = [httpx.get(url, timeout=LIMIT_S, trust_env=False)]
        return answers[0].status_code != httpx.codes.SERVICE_UNAVAILABLE

    until(is_served)
    return answers[0]


@pytest.mark.timeout(300)
def test_what_it_prints_works_at_once_and_from_the_shell_beside(data_dir: Path) -> None:
    """Addresses came seconds before anything listened, and commands beside it asked for Codat's secrets."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    kept |= {"PYTHONPATH": str(ROOT)}
    ports = {"PORT": str(own_port()), "DATA_DIR": str(data_dir / "in here")}
    words = ["processor", "demo", "--simulator-port", "0"]
    with preloaded.running(words, cwd=data_dir, env=kept | ports) as (process, output):
        try:
            printed = ""
            while "Ctrl-C stops everything" not in printed:
                printed += output.readline()
            ready = served(f"http://127.0.0.1:{ports['PORT']}/readyz")
            assert ready.json() == {"status": "ok"}
            (beside,) = [line for line in printed.splitlines() if line.startswith("  Beside it")]
            command = beside.removeprefix("  Beside it").strip()
            result = subprocess.run(
                ["/bin/sh", "-c", command],
                cwd=data_dir,
                env=kept,
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
            )
            assert (result.returncode, result.stderr) == (0, "")
            assert result.stdout.startswith("CONNECTION")
            _other_commands_find_its_settings(data_dir, kept)
            while "Start here" not in output.readline():
                pass
            link = output.readline().strip()
            assert served(link).status_code == 200
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(LIMIT_S) == 0
    assert not (data_dir / "in here" / "demo.json").exists()


def _other_commands_find_its_settings(folder: Path, env: dict[str, str]) -> None:
    """`check`, `webhooks` and `reconcile` beside `make run` said that settings are missing."""
    env = {**env, "DATA_DIR": "in here"}
    for words in ("check", "webhooks list", "reconcile --dry-run"):
        result = preloaded.run(["processor", *words.split()], env=env, cwd=folder, timeout=LIMIT_S)
        assert result.returncode == 0, (words, result.stdout, result.stderr)
        assert "missing" not in result.stdout + result.stderr


def test_settings_of_a_demonstration_that_ended_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ``kill -9`` leaves names a Codat that is gone; the environment wins over one that runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CODAT_API_KEY", raising=False)
    monkeypatch.delenv("DATA_DIR", raising=False)
    folder = tmp_path / "var"
    with share_settings(folder, {"CODAT_API_KEY": "demo-key", "HOME": "/nowhere"}):
        assert command_environ()["CODAT_API_KEY"] == "demo-key"
        assert command_environ()["HOME"] == os.environ["HOME"]
        assert (folder / "demo.json").stat().st_mode & 0o777 == 0o600
        monkeypatch.setenv("CODAT_API_KEY", "own-key")
        assert command_environ()["CODAT_API_KEY"] == "own-key"
        left = (folder / "demo.json").read_bytes()
    monkeypatch.delenv("CODAT_API_KEY")
    (folder / "demo.json").write_bytes(left)
    assert "CODAT_API_KEY" not in command_environ()


@pytest.mark.parametrize(
    ("environ", "script", "expected"),
    [
        ({}, ".venv/bin/codat-processor", ".venv/bin/codat-processor"),
        ({}, "{here}/.venv/bin/codat-processor", ".venv/bin/codat-processor"),
        ({}, "/opt/an app/codat-processor", "'/opt/an app/codat-processor'"),
        ({}, "/opt/processor/__main__.py", f"{sys.executable} -m processor"),
        ({"DATA_DIR": "./var"}, "bin/codat-processor", "bin/codat-processor"),
        ({"DATA_DIR": "/srv/a b"}, "bin/codat-processor", "DATA_DIR='/srv/a b' bin/codat-processor"),
        ({"REDIS_URL": "redis://:hush@h"}, "codat-processor", "REDIS_URL=YOUR_REDIS_URL codat-processor"),
    ],
)
def test_the_command_line_to_type_leads_to_the_same_data(
    environ: dict[str, str], script: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load({**environ, "CODAT_ALERT_AUTHORIZATIONS": "Basic aHVzaA=="})
    assert command_line(settings, Path(script.format(here=tmp_path))) == expected
