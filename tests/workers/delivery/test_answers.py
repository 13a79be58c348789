"""What each answer of a receiver means for a delivery."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from standardwebhooks import Webhook
from svix.webhooks import Webhook as Svix
from svix.webhooks import WebhookVerificationError as SvixError

from processor.clock import from_iso, to_iso
from processor.delivery.lane import Mode
from processor.store import keys
from tests.workers.delivery.post import Post
from tests.workers.delivery.receiving import MakeReceiver, status


@pytest.mark.parametrize("code", [200, 202, 204])
def test_every_2xx_is_success(post: Post, receiver: MakeReceiver, code: int) -> None:
    heard = receiver(status(code, b"" if code == 204 else b"thank you"))
    mine, id_ = post.subscribe(heard.url), post.decide()

    assert post.dispatcher().run_once() == 1

    assert post.status(id_, mine.id) == "delivered"
    assert post.waiting(mine.id) == {}
    (made,) = post.attempts(id_)
    assert made.pop("duration_ms") >= 0
    assert made == {
        "at": to_iso(post.clock()),
        "outcome": "delivered",
        "status_code": code,
        "error": None,
        "answer": "" if code == 204 else "thank you",
    }


def test_what_is_sent_is_the_notification_signed(post: Post, receiver: MakeReceiver) -> None:
    heard = receiver()
    mine = post.subscribe(heard.url, headers={"Authorization": "Bearer theirs", "X-Own": "yes"})
    id_ = post.decide()
    post.dispatcher().run_once()

    (got,) = heard.received
    body = post.reader.notification(id_)["body"]
    assert json.loads(got.raw) == body
    assert (got.headers["webhook-id"], got.headers["content-type"]) == (id_, "application/json")
    assert (got.headers["authorization"], got.headers["x-own"]) == ("Bearer theirs", "yes")
    assert got.headers["host"] == f"127.0.0.1:{heard.port}"
    assert mine.secret not in str(got.headers)


def test_what_a_receiver_repeats_of_its_credentials_is_not_kept(post: Post, receiver: MakeReceiver) -> None:
    """A receiver that answered with the request's head put its credentials before everybody who may read."""
    heard = receiver(
        status(500, b'{"X-Own": "hushed-1", "Authorization": "Bearer theirs-2", "q": "secret-3"}')
    )
    headers = {"Authorization": "Bearer theirs-2", "X-Own": "hushed-1"}
    post.subscribe(f"{heard.url}?key=secret-3", headers=headers)
    id_ = post.decide()
    post.dispatcher().run_once()

    (made,) = post.attempts(id_)
    assert made["answer"] == '{"X-Own": "***", "Authorization": "***", "q": "***"}'


def test_both_libraries_verify_our_signatures(post: Post, receiver: MakeReceiver) -> None:
    """They compare with the real time, so here time is real."""
    post.clock.now = datetime.now(UTC)
    heard = receiver()
    mine, id_ = post.subscribe(heard.url), post.decide()
    post.dispatcher().run_once()

    (got,) = heard.received
    assert Webhook(mine.secret).verify(got.raw, dict(got.headers))["id"] == id_
    Svix(mine.secret).verify(got.raw, dict(got.headers))
    with pytest.raises(SvixError):
        Svix(mine.secret).verify(got.raw + b" ", dict(got.headers))


@pytest.mark.parametrize(
    ("code", "error"),
    [(301, "redirects are not followed"), (302, "redirects are not followed"), (400, "answered 400"),
     (401, "answered 401"), (404, "answered 404"), (500, "answered 500"), (503, "answered 503")],
)  # fmt: skip
def test_everything_else_is_tried_again(
    post: Post, receiver: MakeReceiver, code: int, error: str | None
) -> None:
    elsewhere = receiver()
    heard = receiver(status(code, b"no", Location=elsewhere.url))
    mine, id_ = post.subscribe(heard.url), post.decide()

    post.dispatcher().run_once()

    assert post.status(id_, mine.id) == "pending"
    assert post.waiting(mine.id) == {id_: 5.0}
    assert [
        (attempt["status_code"], attempt["error"], attempt["answer"]) for attempt in post.attempts(id_)
    ] == [(code, error, "no")]
    assert elsewhere.received == []


def test_the_schedule_is_that_of_the_contract_and_ends_with_a_dead_letter(
    post: Post, receiver: MakeReceiver
) -> None:
    heard = receiver(status(500))
    mine, id_ = post.subscribe(heard.url), post.decide()
    dispatcher, waits = post.dispatcher(), []

    dispatcher.run_once()
    while waiting := post.waiting(mine.id):
        waits.append(waiting[id_])
        post.forward(waiting[id_] - 0.001)
        assert dispatcher.run_once() == 0
        post.forward(0.001)
        assert dispatcher.run_once() == 1

    assert waits == [5, 300, 1800, 7200, 18000, 36000, 36000]
    assert post.status(id_, mine.id) == "dead"
    assert post.client.zrange(keys.dead_deliveries(post.cell), 0, -1) == [f"{id_} {mine.id}".encode()]
    assert len(post.attempts(id_)) == len(heard.received) == 8
    assert len(set(heard.ids)) == 1


def test_pauses_are_spread_a_little_and_never_shorter(post: Post, receiver: MakeReceiver) -> None:
    heard = receiver(status(500))
    mine = post.subscribe(heard.url)
    ids = [post.decide(f"connection-{number}") for number in range(5)]
    numbers = iter([0.0, 0.25, 0.5, 0.75, 1.0])
    dispatcher = post.dispatcher(chance=lambda: next(numbers))

    dispatcher.run_once()

    waits = post.waiting(mine.id)
    assert sorted(waits) == ids
    assert sorted(waits.values()) == pytest.approx([5, 5.125, 5.25, 5.375, 5.5])


def test_410_ends_the_subscription_and_what_waited_is_a_dead_letter(
    post: Post, receiver: MakeReceiver
) -> None:
    heard = receiver(status(500))
    mine = post.subscribe(heard.url)
    first = post.decide("connection-1")
    dispatcher = post.dispatcher()
    dispatcher.run_once()
    heard.always = status(410)
    second = post.decide("connection-2")
    dispatcher.run_once()

    assert [post.status(item, mine.id) for item in (first, second)] == ["dead", "dead"]
    assert post.mode(mine.id) is Mode.GONE
    assert post.waiting(mine.id) == {}
    third = post.decide("connection-3")
    assert dispatcher.run_once() == 0
    assert post.status(third, mine.id) is None
    assert post.reader.member_page(keys.outbox_with(post.cell, "dead"), limit=10, cursor=None).items == [
        second,
        first,
    ]


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_honoured(post: Post, receiver: MakeReceiver, code: int, as_date: bool) -> None:
    wish = format_datetime(post.clock() + timedelta(seconds=120), usegmt=True) if as_date else "120"
    heard = receiver(status(code, Retry_After=wish))
    mine, id_ = post.subscribe(heard.url), post.decide()

    post.dispatcher().run_once()

    assert post.waiting(mine.id) == {id_: 120.0}


@pytest.mark.parametrize(
    ("wish", "wait"), [("1", 5), ("", 5), ("soon", 5), ("-7", 5), ("999999999", 86400), ("1e9", 5), ("٣", 5)]
)
def test_a_wish_cannot_shorten_a_pause_nor_put_it_off_for_ever(
    post: Post, receiver: MakeReceiver, wish: str, wait: int
) -> None:
    heard = receiver(status(429, Retry_After=wish.encode().decode("latin-1")))
    mine, id_ = post.subscribe(heard.url), post.decide()

    post.dispatcher().run_once()

    assert post.waiting(mine.id) == {id_: wait}


def test_an_attempt_has_its_time(post: Post, receiver: MakeReceiver) -> None:
    heard = receiver(status(500))
    mine, id_ = post.subscribe(heard.url), post.decide()
    dispatcher = post.dispatcher()
    dispatcher.run_once()
    post.forward(5)
    dispatcher.run_once()

    first, second = (from_iso(attempt["at"]) for attempt in post.attempts(id_))
    assert second - first == timedelta(seconds=5)
    assert post.waiting(mine.id) == {id_: 300.0}
