"""Log lines: one line per record, a constant sentence with fields, and no secrets.

Fields are passed by ``extra=``: ``log.info("Event kept", extra={"event_id": ...})``. On a terminal a line
has time, level, sentence and ``key=value``; elsewhere it is a JSON object.
"""

import json
import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TextIO

MASK = "***"
MIN_SECRET_CHARS = 6
"""Masking shorter secrets would garble every line."""

MAX_CHARS = 2_000
"""The longest field and the longest sentence; a longer text loses its middle."""

MAX_TRACEBACK_CHARS = 20_000

OUR_LOGGERS = ("processor", "workers", "handlers", "__main__")
"""Other loggers are silent below WARNING: at DEBUG libraries write tokens."""

_to_json = json.JSONEncoder(default=str).encode
_RECORD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_SHAPES = re.compile(
    r"(?P<whsec>whsec_)[A-Za-z0-9+/=_-]+"
    r"|(?P<link>/(?:connect|receivers|reminders)/)[^\s/?#\"'\\]+"
    r"|(?P<password>[?&]otp=)[^\s&#\"'\\]+"
    r"|(?P<scheme>\b(?:bearer|basic)\s+)[A-Za-z0-9+/=._~-]{4,}"
    r"""|(?P<header>\bauthorization\\*["']?\s*[:=]\s*\\*["']?)(?!(?:bearer|basic)\s)[^\s"'\\,}]+"""
    r"""|(?P<userinfo>://[^\s/:@"']*+:)[^\s/@"']++(?=@)""",
    re.IGNORECASE,
)
_SHAPE_WORDS = (
    "whsec_",
    "/connect/",
    "/receivers/",
    "/reminders/",
    "otp=",
    "bearer",
    "basic",
    "authorization",
    "://",
)
"""Words, one of which is in every text that ``_SHAPES`` matches: nearly all lines have none of them."""


class Redactor:
    """Masks known secrets and everything that looks like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= MIN_SECRET_CHARS}
        self._longest_first = sorted(forms, key=len, reverse=True)

    def bounded(self, text: str, limit: int = MAX_CHARS) -> str:
        """The text, without its middle if it is longer than ``limit`` characters.

        Twice the shown length is masked before the cut, so that no secret is cut in half.
        """
        if len(text) <= limit:
            return text
        head, tail = self(text[:limit])[: limit // 2], self(text[-limit:])[-limit // 2 :]
        return f"{head} … {len(text) - limit} characters left out … {tail}"

    def __call__(self, text: str) -> str:
        """The text with ``***`` in place of secrets."""
        for secret in self._longest_first:
            text = text.replace(secret, MASK)
        folded = text.casefold()
        if not any(word in folded for word in _SHAPE_WORDS):
            return text
        return _SHAPES.sub(lambda match: f"{match[match.lastgroup or 0]}{MASK}", text)


class LineFormatter(logging.Formatter):
    """One line a record: ``key=value`` for people, JSON for machines."""

    def __init__(self, redact: Redactor, *, as_json: bool) -> None:
        super().__init__()
        self._redact = redact
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line without a line break or a secret in it."""
        fields = {
            name: self._bounded(value) for name, value in vars(record).items() if name not in _RECORD_FIELDS
        }
        if record.exc_info and record.exc_info[0] is not None:
            traceback = self.formatException(record.exc_info)
            fields["traceback"] = self._redact.bounded(traceback, MAX_TRACEBACK_CHARS)
        if record.stack_info:
            fields["stack"] = self._redact.bounded(record.stack_info, MAX_TRACEBACK_CHARS)
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        at = at.replace("+00:00", "Z")
        sentence = self._redact.bounded(record.getMessage())
        if self._as_json:
            line = {"at": at, "level": record.levelname, "logger": record.name, "message": sentence}
            return self._redact(_to_json(line | fields))
        pairs = "".join(f" {single_line(name)}={_shown(value)}" for name, value in fields.items())
        return self._redact(f"{at[11:23]} {record.levelname:<7} {single_line(sentence)}{pairs}")

    def _bounded(self, value: object) -> object:
        """The value of a field; a text that is too long loses its middle."""
        text = str(value)
        return value if len(text) <= MAX_CHARS else self._redact.bounded(text)


def configure(level: str = "INFO", secrets: Iterable[str] = (), stream: TextIO | None = None) -> None:
    """Send every log line to ``stream`` (standard error), with ``secrets`` masked. The last call counts."""
    target = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(target)
    handler.addFilter(_is_relevant)
    handler.setFormatter(LineFormatter(Redactor(secrets), as_json=not target.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    root.setLevel(max(root.level, logging.WARNING))
    for name in OUR_LOGGERS:
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(capture=True)


def _is_relevant(record: logging.LogRecord) -> bool:
    """Drop records of libraries below WARNING, whatever level their loggers have."""
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] in OUR_LOGGERS


def _forms(secret: str) -> tuple[str, ...]:
    """The secret as it is, and as JSON writes it."""
    return secret, json.dumps(secret)[1:-1]


def _shown(value: object) -> str:
    text = single_line(str(value))
    return json.dumps(text, ensure_ascii=False) if not text or set(text) & set(' "=') else text


def single_line(text: str) -> str:
    """The text with escapes in place of line breaks and other characters that cannot be shown."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
