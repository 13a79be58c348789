"""Quota and pauses in headers are understood; no header can break anything."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.codat.http_headers import LONGEST_WAIT_S, Quota, as_http_date, pause_s, quota_of

NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        str(int(MIDNIGHT.timestamp())),
        str(int(MIDNIGHT.timestamp() * 1000)),
        str(9 * 3600),
        "2026-11-23T00:00:00Z",
        "2026-11-23T00:00:00.0000000+00:00",
        "Mon, 23 Nov 2026 00:00:00 GMT",
    ],
)
def test_the_reset_is_understood_in_each_form(text):
    quota = quota_of({"X-Rate-Limit-Reset": text}, NOW)

    assert quota == Quota(NOW, resets_at=MIDNIGHT)


def test_headers_without_a_quota_tell_none():
    assert quota_of({"Content-Type": "application/json"}, NOW) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("17", 17),
        (" 17 ", 17),
        ("0.2", 1),
        ("999999999", LONGEST_WAIT_S),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("1e9", None),
        ("²", None),
    ],
)
def test_retry_after_is_understood_in_both_forms(text, expected):
    assert pause_s(text, NOW) == expected


@given(st.text(max_size=60))
def test_no_header_raises(text):
    headers = {
        "X-Rate-Limit-Limit": text,
        "X-Rate-Limit-Remaining": text,
        "X-Rate-Limit-Reset": text,
    }
    wait_s = pause_s(text, NOW)
    assert wait_s is None or 0 <= wait_s <= LONGEST_WAIT_S
    quota_of(headers, NOW)
    as_http_date(text)


@given(st.integers(min_value=-(10**16), max_value=10**16))
def test_no_number_raises(number):
    quota_of({"X-Rate-Limit-Reset": str(number), "X-Rate-Limit-Limit": str(number)}, NOW)
    pause_s(str(number), NOW)
