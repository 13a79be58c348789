"""The settings of a demonstration that runs, for commands that are started in its folder."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from dotenv import dotenv_values

from processor.runtime.file_locks import try_lock
from processor.settings.definitions import DATA_DIR, DOTENV, Settings, load, rows

NAME = "demo.json"


@contextlib.contextmanager
def shared(data_dir: Path, given: Mapping[str, str]) -> Iterator[None]:
    """Leave the settings among ``given`` in the demonstration's folder as long as it runs.

    The file is for its owner alone, and counts only while it is locked: one that ``kill -9`` left is nothing.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    path = data_dir / NAME
    path.unlink(missing_ok=True)
    said = {row.name: given[row.name] for row in rows() if row.name in given}
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        try_lock(file)
        file.write(json.dumps(said).encode())
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def load_beside(*, inbound: bool = True) -> Settings:
    """The settings of a command: this process's own, else those of a demonstration that runs in its folder.

    ``inbound`` as in :func:`load`.
    """
    return load(environ_beside(), DOTENV, inbound=inbound)


def environ_beside() -> dict[str, str]:
    """The environment of this process, and under it what a demonstration that runs here works with."""
    container = {name: value for name, value in os.environ.items() if value.strip()}
    folder = container.get("DATA_DIR") or _in_dotenv("DATA_DIR") or str(DATA_DIR)
    return {**_running(Path(folder) / NAME), **container}


def _in_dotenv(name: str) -> str | None:
    try:
        return (dotenv_values(DOTENV).get(name) or "").strip() or None
    except (OSError, UnicodeDecodeError):  # reported where the settings are read
        return None


def _running(path: Path) -> dict[str, str]:
    """What the demonstration says that holds the file; nothing where none does."""
    try:
        with path.open("rb") as file:
            if try_lock(file, shared=True):
                return {}
            said = json.loads(file.read())
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in said.items()} if isinstance(said, dict) else {}
