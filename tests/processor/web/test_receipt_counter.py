"""What a process counted is written once."""

from typing import Any

from redis import Redis

from processor.alerts.signature import RefusalReason
from processor.clock import utc_now
from processor.store import keys, receipts
from processor.store.clock_skew import ERROR_S
from processor.web.receipt_counter import ReceiptCounter


def test_counts_are_written_once_also_where_the_clock_cannot_be_noted(store: "Redis[Any]") -> None:
    store.set(keys.clocks(), "of another kind, so that writing fails")
    counter = ReceiptCounter(store, clock=utc_now, wall=lambda: utc_now().timestamp() + ERROR_S)
    counter.refused(next(iter(RefusalReason)))
    for _ in range(2):
        counter.flush()
    assert sum(receipts.parse(store.hgetall(keys.receipts())).refused.values()) == 1
