"""Services of one's own, to be killed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.service import Service


@pytest.fixture
def make_service(data_dir: Path) -> Iterator[Callable[..., Service]]:
    """Makes a service on the one data folder of this test; whatever is left of it is ended."""
    made: list[Service] = []

    def make(**environ: str) -> Service:
        made.append(Service(data_dir, **environ))
        return made[-1]

    yield make
    for service in made:
        service.stop()


@pytest.fixture
def service(make_service: Callable[..., Service]) -> Service:
    """A service that is ready."""
    return make_service().start()
