"""The command line on an empty engine."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from processor.cli import main
from processor.runtime import logs
from tests.processor.web.v1.filling import Filling

Run = Callable[..., Result]


@pytest.fixture
def filling(redis_url: str) -> Iterator[Filling]:
    """The store that the commands look into."""
    filling = Filling(redis_url)
    yield filling
    filling.close()


@pytest.fixture
def run(filling: Filling, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_logging: None) -> Run:
    """Runs a command in this process."""
    del own_logging
    monkeypatch.chdir(tmp_path)

    def run(*words: str, redis_url: str | None = None, input: str | None = None) -> Result:
        env = filling.environ | ({} if redis_url is None else {"REDIS_URL": redis_url})
        return CliRunner(env=env).invoke(main, words, prog_name="codat-processor", input=input)

    return run


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Puts back what a command changed of the logging of this process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    quiet = {name: logging.getLogger(name).level for name in logs.OUR_LOGGERS}
    yield
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
