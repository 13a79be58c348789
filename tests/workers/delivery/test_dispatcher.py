"""The dispatcher: its thread, its faults, and its log."""

import pytest

from tests.workers.delivery.post import Post
from tests.workers.delivery.receiving import WAIT_S, MakeReceiver, status


def test_a_channel_that_cannot_be_made_ready_stops_the_start(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It used to keep the process waiting for ever."""
    dispatcher = post.dispatcher()

    def prepare() -> None:
        raise OSError("no certificates")

    monkeypatch.setattr(dispatcher._attempts._senders["webhook"], "prepare", prepare)
    with pytest.raises(OSError, match="no certificates"):
        dispatcher.start()
    assert not dispatcher.is_running


def test_a_run_delivers_to_a_subscriber_that_was_added_since_the_last_one(
    post: Post, receiver: MakeReceiver
) -> None:
    dispatcher = post.dispatcher()
    assert dispatcher.run_once() == 0
    post.subscribe(receiver().url)
    post.decide()
    assert dispatcher.run_once() == 1


def test_a_dispatcher_whose_thread_has_ended_leaves_the_work_to_wake_up_calls(
    post: Post, receiver: MakeReceiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    heard = receiver()
    post.subscribe(heard.url)
    dispatcher = post.dispatcher()

    async def look() -> None:
        raise ValueError("on purpose")

    with monkeypatch.context() as broken:
        broken.setattr(dispatcher, "_look_safely", look)
        dispatcher.start()
        dispatcher._thread.join(WAIT_S)
    assert "on purpose" in caplog.text
    assert not dispatcher.is_running

    post.decide()
    assert dispatcher.run_once() == 1
    dispatcher.stop()


def test_a_fault_of_ours_is_not_the_subscribers(
    post: Post, receiver: MakeReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = post.subscribe(receiver().url)
    id_ = post.decide()
    dispatcher = post.dispatcher()
    monkeypatch.setattr(dispatcher._attempts._senders["webhook"], "deliver", None)

    dispatcher.run_once()

    assert post.waiting(mine.id) == {id_: 5.0}
    assert post.lane_admin.states([mine.id])[mine.id].failures == 0


def test_every_line_about_a_delivery_names_the_message_that_led_to_it(
    post: Post, receiver: MakeReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    """Support asked what became of a message: its id ended in the log where it was accepted."""
    caplog.set_level("INFO")
    heard = receiver(status(204))
    heard.answers.append(status(500))
    post.subscribe(heard.url)
    post.decide(event_id="msg_support")
    dispatcher = post.dispatcher()
    dispatcher.run_once()
    post.forward(5)
    dispatcher.run_once()
    lines = [record for record in caplog.records if record.name == "workers.delivery.attempt"]
    assert [record.message for record in lines] == ["a delivery failed", "a notification was delivered"]
    assert {vars(record)["event_id"] for record in lines} == {"msg_support"}
