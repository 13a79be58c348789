"""Log lines: one line a record, a constant sentence plus fields, and never a secret.

Fields are given by ``extra=``: ``log.info("Event kept", extra={"event_id": ...})``. On a terminal
a line is time, level, sentence and ``key=value``; elsewhere it is a JSON object.
"""

import json
import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TextIO

MASK = "***"
SHORTEST_SECRET = 6
"""Characters; masking shorter ones would garble every line."""

MOST_CHARS = 2_000
"""Longest value of a field, and longest sentence; what is longer loses its middle."""

MOST_TRACEBACK_CHARS = 20_000

OWN = ("processor", "workers", "handlers", "__main__")
"""Loggers of this project; all others are silent below WARNING, for at DEBUG libraries write tokens."""

_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_SHAPES = re.compile(
    r"(?P<whsec>whsec_)[A-Za-z0-9+/=_-]+"
    r"|(?P<link>/connect/)[^\s/?#\"'\\]+"
    r"|(?P<password>[?&]otp=)[^\s&#\"'\\]+"
    r"|(?P<scheme>\b(?:bearer|basic)\s+)[A-Za-z0-9+/=._~-]{4,}"
    r"""|(?P<header>\bauthorization\\*["']?\s*[:=]\s*\\*["']?)(?!(?:bearer|basic)\s)[^\s"'\\,}]+"""
    r"""|(?P<userinfo>://[^\s/:@"']*+:)[^\s/@"']++(?=@)""",
    re.IGNORECASE,
)


class Redactor:
    """Masks what looks like a secret, and every value that is known to be one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {form for secret in secrets for form in _forms(secret) if len(form) >= SHORTEST_SECRET}
        longest_first = sorted(known, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def bounded(self, text: str, most: int = MOST_CHARS) -> str:
        """The text, without its middle where it is longer than ``most`` characters.

        Twice as much as is shown is searched for secrets first, so that none is cut in half.
        """
        if len(text) <= most:
            return text
        head, tail = self(text[:most])[: most // 2], self(text[-most:])[-most // 2 :]
        return f"{head} … {len(text) - most} characters left out … {tail}"

    def __call__(self, text: str) -> str:
        """The text with ``***`` in place of secrets."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        return _SHAPES.sub(lambda found: f"{found[found.lastgroup or 0]}{MASK}", text)


class LineFormatter(logging.Formatter):
    """One line a record: ``key=value`` for people, JSON for machines."""

    def __init__(self, redact: Redactor, *, as_json: bool) -> None:
        super().__init__()
        self._redact = redact
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line without a line break or a secret in it."""
        fields = {
            name: self._bounded(value) for name, value in vars(record).items() if name not in _OWN_FIELDS
        }
        if record.exc_info and record.exc_info[0] is not None:
            traceback = self.formatException(record.exc_info)
            fields["traceback"] = self._redact.bounded(traceback, MOST_TRACEBACK_CHARS)
        if record.stack_info:
            fields["stack"] = self._redact.bounded(record.stack_info, MOST_TRACEBACK_CHARS)
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        at = at.replace("+00:00", "Z")
        sentence = self._redact.bounded(record.getMessage())
        if self._as_json:
            line = {"at": at, "level": record.levelname, "logger": record.name, "message": sentence}
            return self._redact(json.dumps(line | fields, default=str))
        pairs = "".join(f" {_one_line(name)}={_shown(value)}" for name, value in fields.items())
        return self._redact(f"{at[11:23]} {record.levelname:<7} {_one_line(sentence)}{pairs}")

    def _bounded(self, value: object) -> object:
        """The value of a field; a text without its middle where it is too long."""
        text = str(value)
        return value if len(text) <= MOST_CHARS else self._redact.bounded(text)


def configure(level: str = "INFO", secrets: Iterable[str] = (), stream: TextIO | None = None) -> None:
    """Send every log line to ``stream`` (standard error); ``secrets`` are masked wherever they turn up.

    May be called again: the last call counts.
    """
    target = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(target)
    handler.addFilter(_is_worth_a_line)
    handler.setFormatter(LineFormatter(Redactor(secrets), as_json=not target.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    root.setLevel(max(root.level, logging.WARNING))
    for name in OWN:
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(capture=True)


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Drops what libraries write below WARNING, whatever level their loggers have."""
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] in OWN


def _forms(secret: str) -> tuple[str, ...]:
    """A secret as it is, and as it stands inside JSON."""
    return secret, json.dumps(secret)[1:-1]


def _shown(value: object) -> str:
    text = _one_line(str(value))
    return json.dumps(text, ensure_ascii=False) if not text or set(text) & set(' "=') else text


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
