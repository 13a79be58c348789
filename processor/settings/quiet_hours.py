"""Quiet hours and time zones: how they are written, and what they mean."""

import re
from datetime import time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from handlers.reminders import QuietHours

OFF = "off"
_FORM = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)", re.ASCII)


def parse_zone(name: str) -> ZoneInfo:
    """The time zone of an IANA name such as ``Europe/Paris``; raises ``ValueError``."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, UnicodeError) as error:  # OSError: the name of a folder
        raise ValueError("no such time zone") from error


def parse(text: str, zone: str = "UTC") -> QuietHours:
    """Quiet hours such as ``20:00-08:00``, or ``off``; raises ``ValueError``."""
    if text == OFF:
        return QuietHours(time(), time(), parse_zone(zone))
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError("not two times of a day")
    start_h, start_min, end_h, end_min = map(int, match.groups())
    return QuietHours(time(start_h, start_min), time(end_h, end_min), parse_zone(zone))
