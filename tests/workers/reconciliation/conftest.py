"""Wake-up flags that outlast a busy machine."""

import pytest

from processor.store import inbox


@pytest.fixture(autouse=True)
def _flags_outlast_a_busy_machine(monkeypatch):
    """Whether a cell was woken expires by Redis's clock; what is compared must not change by itself."""
    monkeypatch.setattr(inbox, "WAKE_MS", 600_000)
