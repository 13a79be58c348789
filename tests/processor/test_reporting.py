"""Faults are reported where that was asked for, and nowhere else."""

import sys

import pytest

from processor.errors import SettingsError
from processor.reporting import report_faults
from processor.settings import load

NEEDED = {"CODAT_ALERT_AUTHORIZATIONS": "Basic c29tZWJvZHk6ZWxzZQ=="}


def test_nothing_is_reported_without_an_address() -> None:
    assert report_faults(load(NEEDED)) is False


def test_an_address_without_the_library_stops_the_start_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    with pytest.raises(SettingsError, match=r"codat-processor\[sentry\]"):
        report_faults(load({**NEEDED, "SENTRY_DSN": "https://key@sentry.example/1"}))
