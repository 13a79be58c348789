"""Erases companies some time after their deletion at Codat."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from processor.erasure.erase import CompanyEraser

_log = logging.getLogger(__name__)


def erase_deleted_companies(
    eraser: CompanyEraser,
    *,
    grace: timedelta,
    clock: Callable[[], datetime],
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Erase the companies that were deleted longer than ``grace`` ago, until ``stop``."""
    erased = 0
    for company_id in eraser.due_companies(clock(), grace):
        if stop():
            break
        records = eraser.erase(company_id, clock())
        erased += 1
        _log.info("a deleted company was erased", extra={"kept": records.counts})
    if erased:
        eraser.rewrite_append_only_file()
