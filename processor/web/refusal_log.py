"""Log lines about refused requests: strangers can cause them, so at most one a minute for each reason."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

INTERVAL_S = 60.0


@dataclass(slots=True)
class _Suppressed:
    """When a line was last written, by the monotonic clock, and what was suppressed since."""

    written_at: float
    count: int = 0
    fields: dict[str, object] = field(default_factory=dict)


class RefusalLog:
    """Writes the first line of each sentence and ``reason`` at once, then one per ``INTERVAL_S``.

    Later lines carry the number of refusals in ``times`` and the fields of the last one. A reason is never a
    caller's text, so the number of entries is bounded. Thread-safe.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._lines: dict[tuple[logging.Logger, str, str], _Suppressed] = {}

    def warn(self, logger: logging.Logger, sentence: str, *, reason: str, **fields: object) -> None:
        """Write the line, or count it if the same line was written lately."""
        line = (logger, sentence, reason)
        with self._lock:
            suppressed = self._lines.get(line)
            if suppressed is not None:
                suppressed.count, suppressed.fields = suppressed.count + 1, fields
            else:
                self._lines[line] = _Suppressed(self._monotonic())
        if suppressed is None:
            logger.warning(sentence, extra={**fields, "reason": reason})

    def flush(self) -> None:
        """Write the counted lines whose interval is over; to be called every few seconds."""
        now, due = self._monotonic(), []
        with self._lock:
            for line, suppressed in list(self._lines.items()):
                if now - suppressed.written_at < INTERVAL_S:
                    continue
                if suppressed.count:
                    due.append((line, suppressed))
                    self._lines[line] = _Suppressed(now)
                else:
                    del self._lines[line]
        for (logger, sentence, reason), suppressed in due:
            fields = {**suppressed.fields, "reason": reason, "times": suppressed.count}
            logger.warning(sentence, extra=fields)
