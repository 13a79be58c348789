"""Where settings come from: the environment, and a ``.env`` file; names that are nearly those of settings."""

import os
from pathlib import Path

import pytest

from processor.errors import SettingsError
from processor.settings.definitions import definitions
from processor.settings.loading import load, load_from_environment
from tests.processor.settings.test_settings import ENOUGH, SECRET


def test_dotenv_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"CODAT_WEBHOOK_SECRETS={SECRET}\nPORT=9000\nWORKERS=3\nLATE_AFTER_S=5\n")
    settings = load({"PORT": "9001", "LATE_AFTER_S": ""}, dotenv)
    assert (settings.port, settings.workers) == (9001, 3)
    assert settings.late_after_s == 600
    assert load(ENOUGH, tmp_path / "absent") == load(ENOUGH)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"PORT=9000\nWORKERS='3\n", ".env must have lines of the form NAME=value; line 2 has another."),
        (b"PORT=9000\nhush hush\n", ".env must have lines of the form NAME=value; line 2 has another."),
        (b"PORT\n", ".env must have lines of the form NAME=value; line 1 has another."),
        (b"PORT=9000\nNAME=h\xfcsh\n", ".env must be text in UTF-8; line 2 is not."),
        (None, ".env cannot be read: Is a directory."),
    ],
)
def test_a_dotenv_file_that_cannot_be_read_is_a_mistake(
    content: bytes | None, expected: str, tmp_path: Path
) -> None:
    """What the libraries do not understand they drop, and the service ran with half of its settings."""
    dotenv = tmp_path / ".env"
    if content is None:
        dotenv.mkdir()
    else:
        dotenv.write_bytes(content)
    with pytest.raises(SettingsError) as refused:
        load(ENOUGH, dotenv)
    assert refused.value.mistakes == (expected,)


def test_the_process_environment_and_the_current_folder_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name in {row.name for row in definitions()}:
            monkeypatch.delenv(name)
    (tmp_path / ".env").write_text(f"CODAT_WEBHOOK_SECRETS={SECRET}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKERS", "7")
    assert load_from_environment().workers == 7


def test_a_given_environment_is_the_only_one_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    assert load(ENOUGH).port == 8000
