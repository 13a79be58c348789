"""Codat's times: which are read, which are believed, and what stands in for the others."""

import json
from datetime import UTC, datetime

import pytest

from handlers.events import Event, UnhandledEvent
from processor.alerts.dialects import recognise

RECEIVED_AT = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


def generated(written: object) -> Event:
    body = {"eventType": "something.happened", "generatedDate": written}
    return recognise(json.dumps(body).encode(), event_id="msg_1", received_at=RECEIVED_AT)


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-11-22T14:59:00Z", datetime(2026, 11, 22, 14, 59, tzinfo=UTC)),
        ("2026-11-22T14:59:00.1234567Z", datetime(2026, 11, 22, 14, 59, 0, 123456, tzinfo=UTC)),
        ("2026-11-22T14:59:00.9999999Z", datetime(2026, 11, 22, 14, 59, 0, 999999, tzinfo=UTC)),
        ("2026-11-22T14:59:00.123456789012Z", datetime(2026, 11, 22, 14, 59, 0, 123456, tzinfo=UTC)),
        ("2026-11-22T14:59:00.5+02:00", datetime(2026, 11, 22, 12, 59, 0, 500000, tzinfo=UTC)),
        ("2026-11-22T09:59:00-0500", datetime(2026, 11, 22, 14, 59, tzinfo=UTC)),
        ("2026-11-22t14:59:00z", datetime(2026, 11, 22, 14, 59, tzinfo=UTC)),
        ("2026-11-22T14:59:00", datetime(2026, 11, 22, 14, 59, tzinfo=UTC)),
        ("2026-11-22 14:59Z", datetime(2026, 11, 22, 14, 59, tzinfo=UTC)),
        ("2000-01-01T00:00:00Z", datetime(2000, 1, 1, tzinfo=UTC)),
        ("2026-11-22T15:05:00Z", datetime(2026, 11, 22, 15, 5, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_to_the_microsecond_in_utc(written: str, at: datetime) -> None:
    event = generated(written)
    assert (event.at, event.timed) == (at, True)
    assert event.at.utcoffset() == RECEIVED_AT.utcoffset()


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-22T23:59:99Z",
        "2026-11-22T23:59:60Z",
        "2026-11-22T24:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-11-22",
        "2026-W47-7T00:00:00Z",
        "20261122T145900Z",
        "1999-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:00",
        "9999-12-31T23:59:59-23:00",
        "2026-11-22T15:05:00.000001Z",
        "2026-11-23T02:00:00Z",
        "2026-11-22T14:59:00+99:99",
        "2026-11-22T14:59:00." + "1" * 5_000 + "Z",
        "\u0662026-11-22T14:59:00Z",
        "\ud800",
        "now",
        "",
        None,
        1_790_000_000,
        float("nan"),
        [],
        {},
    ],
)
def test_a_time_that_cannot_be_read_or_believed_is_that_of_the_arrival(written: object) -> None:
    event = generated(written)
    assert type(event) is UnhandledEvent
    assert (event.at, event.timed) == (RECEIVED_AT, False)
