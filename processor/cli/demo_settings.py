"""Shares the settings of a running demonstration with commands that are started in its folder."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from processor.runtime.file_locks import try_lock
from processor.settings.definitions import DATA_DIR, Settings, definitions
from processor.settings.loading import DOTENV, load, read_variables

FILE_NAME = "demo.json"


@contextlib.contextmanager
def share_settings(data_dir: Path, environ: Mapping[str, str]) -> Iterator[None]:
    """Write the settings in ``environ`` to a file in the data folder during the context.

    Only the owner can read the file. It counts while it is locked: a file that ``kill -9`` left is ignored.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    path = data_dir / FILE_NAME
    path.unlink(missing_ok=True)
    values = {row.name: environ[row.name] for row in definitions() if row.name in environ}
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        try_lock(file)
        file.write(json.dumps(values).encode())
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def load_settings(*, inbound: bool = True) -> Settings:
    """Load the settings of a command; those of a running demonstration are its defaults.

    ``inbound`` as in :func:`load`.
    """
    return load(command_environ(), DOTENV, inbound=inbound)


def command_environ() -> dict[str, str]:
    """The environment of this process, with the settings of a running demonstration as defaults."""
    environ = {name: value for name, value in os.environ.items() if value.strip()}
    folder = environ.get("DATA_DIR") or read_variables({}, DOTENV).get("DATA_DIR") or DATA_DIR
    return {**_read_shared(Path(folder) / FILE_NAME), **environ}


def _read_shared(path: Path) -> dict[str, str]:
    """The settings that a running demonstration shares; empty without one."""
    try:
        with path.open("rb") as file:
            if try_lock(file, shared=True):
                return {}
            values = json.loads(file.read())
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in values.items()} if isinstance(values, dict) else {}
