"""A send by a blocking library is called off or has begun, never both."""

import asyncio
import threading
from typing import Any

import pytest

from processor.delivery.lane import AttemptVerdict
from tests.workers.delivery.receiving import WAIT_S
from workers.delivery.channels.blocking_sender import BlockingSender, PointOfNoReturn, SendCancelled
from workers.delivery.channels.sender import AttemptResult


def test_a_send_that_was_given_up_before_it_began_sends_nothing_later() -> None:
    """After 60 s an e-mail counted as failed; its thread sent it later, and the next attempt too."""
    goes_on, ended = threading.Event(), threading.Event()
    called_off = []

    def send(point: PointOfNoReturn) -> Any:
        goes_on.wait(WAIT_S)
        try:
            point.enter()
        except SendCancelled:
            called_off.append(True)
        ended.set()
        return AttemptResult(AttemptVerdict.DELIVERED, 0)

    sender = BlockingSender("test", begin_within_s=0.01, reply_within_s=WAIT_S)
    result = asyncio.run(sender.run(send))
    assert result.verdict is AttemptVerdict.AGAIN
    goes_on.set()
    assert ended.wait(WAIT_S)
    assert called_off == [True]


@pytest.mark.parametrize("begins", [False, True])
def test_who_is_cancelled_knows_whether_it_had_begun(begins: bool) -> None:
    """A process that ended gave back what it had sent already, and the next one sent a copy."""
    reached, goes_on = threading.Event(), threading.Event()

    def send(point: PointOfNoReturn) -> Any:
        if begins:
            point.enter()
        reached.set()
        goes_on.wait(WAIT_S)
        return AttemptResult(AttemptVerdict.DELIVERED, 0)

    async def cancelled() -> Any:
        sender = BlockingSender("test", begin_within_s=WAIT_S, reply_within_s=WAIT_S)
        task = asyncio.create_task(sender.run(send))
        await asyncio.to_thread(reached.wait, WAIT_S)
        assert sender.awaiting_reply == begins
        task.cancel()
        return (await asyncio.gather(task, return_exceptions=True))[0]

    outcome = asyncio.run(cancelled())
    goes_on.set()
    if begins:
        assert outcome.verdict is AttemptVerdict.UNCERTAIN
    else:
        assert isinstance(outcome, asyncio.CancelledError)
