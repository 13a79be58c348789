"""Engines, settings and results for the tests of the checks."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from processor.runtime.embedded_engine import Engine
from processor.runtime.preflight.results import CheckResult, CheckStatus
from processor.settings.definitions import Settings
from processor.settings.loading import load

ENOUGH = {"CODAT_ALERT_AUTHORIZATIONS": "Basic aHVzaA=="}
KEY = "hush-codat-key"


@pytest.fixture
def own_engine(data_dir: Path) -> Iterator[str]:
    """The address of an engine whose configuration a test may change."""
    with Engine(data_dir) as engine:
        yield engine.url


def statuses(results: Iterable[CheckResult]) -> list[CheckStatus]:
    """The statuses alone."""
    return [result.status for result in results]


def settings(**environ: str) -> Settings:
    """Settings that suffice."""
    return load({**ENOUGH, **environ})
