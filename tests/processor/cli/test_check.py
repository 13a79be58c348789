"""The command ``check``."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from processor.cli import main
from processor.settings.definitions import definitions
from tests.processor.runtime.preflight.conftest import ENOUGH


@pytest.fixture
def _bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {row.name for row in definitions()} & set(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def run_check(**environ: str) -> Result:
    """``codat-processor check`` in such an environment."""
    return CliRunner(env=environ).invoke(main, ["check"])


@pytest.mark.usefixtures("_bare")
def test_the_command_starts_the_engine_prints_a_line_each_and_exits_0() -> None:
    result = run_check(**ENOUGH)
    assert result.exit_code == 0, result.output
    assert [line.split()[:2] for line in result.output.splitlines()] == [
        ["ok", "settings"],
        ["warning", "settings"],
        ["ok", "redis"],
        ["ok", "redis"],
        ["ok", "redis"],
        ["ok", "redis"],
        ["warning", "codat"],
        ["warning", "clock"],
    ]


@pytest.mark.usefixtures("_bare")
def test_the_command_exits_1_on_wrong_settings_and_names_them_all() -> None:
    result = run_check(PORT="no", CODAT_API_KEY="hush-é")
    assert result.exit_code == 1
    assert [line.split()[:3] for line in result.output.splitlines()] == [
        ["error", "settings", "PORT"],
        ["error", "settings", "CODAT_API_KEY"],
        ["error", "settings", "CODAT_WEBHOOK_SECRETS"],
    ]
    assert "hush" not in result.output


@pytest.mark.usefixtures("_bare")
def test_the_command_exits_1_when_redis_or_the_engine_is_away(tmp_path: Path) -> None:
    assert run_check(**ENOUGH, REDIS_URL="redis://127.0.0.1:1").exit_code == 1
    (tmp_path / "file").touch()
    result = run_check(**ENOUGH, DATA_DIR="file")
    assert result.exit_code == 1
    assert "error    redis     The embedded engine cannot use" in result.output


@pytest.mark.usefixtures("_bare")
def test_the_command_names_what_looks_like_a_setting() -> None:
    result = run_check(**ENOUGH, REDISURL="redis://somewhere")
    assert "warning  settings  REDISURL is no setting of ours" in result.output
