"""Log lines about refused requests, which any stranger can cause: at most one a minute for each reason."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

INTERVAL_S = 60.0


@dataclass(slots=True)
class _Suppressed:
    """When a line was written last, by the monotonic clock, and what was left out since."""

    written_at: float
    count: int = 0
    fields: dict[str, object] = field(default_factory=dict)


class RefusalLog:
    """Writes the first line of each sentence and ``reason`` at once, then one for each ``INTERVAL_S``.

    The later ones say in ``times`` how many refusals they stand for, with the fields of the last one. A
    reason is a word of ours, never a caller's: there are as many entries as reasons. Safe for threads.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._lines: dict[tuple[logging.Logger, str, str], _Suppressed] = {}

    def warn(self, logger: logging.Logger, sentence: str, *, reason: str, **fields: object) -> None:
        """Write the line, or count it where one was written lately."""
        line = (logger, sentence, reason)
        with self._lock:
            known = self._lines.get(line)
            if known is not None:
                known.count, known.fields = known.count + 1, fields
            else:
                self._lines[line] = _Suppressed(self._monotonic())
        if known is None:
            logger.warning(sentence, extra={**fields, "reason": reason})

    def flush(self) -> None:
        """Write what was counted in intervals that are over; call it every few seconds."""
        now, due = self._monotonic(), []
        with self._lock:
            for line, known in list(self._lines.items()):
                if now - known.written_at < INTERVAL_S:
                    continue
                if known.count:
                    due.append((line, known))
                    self._lines[line] = _Suppressed(now)
                else:
                    del self._lines[line]
        for (logger, sentence, reason), known in due:
            logger.warning(sentence, extra={**known.fields, "reason": reason, "times": known.count})
