"""A simulated Codat, and everything of ours that asks it in the background."""

from collections.abc import Iterator

import pytest

from tests.support.truth import TruthBench, truth_bench


@pytest.fixture
def truth(redis_url: str) -> Iterator[TruthBench]:
    """No message ever comes: nothing listens where Codat sends them."""
    with truth_bench(redis_url) as bench:
        yield bench
