"""Subscribers as they are kept."""

from collections.abc import Iterator
from datetime import timedelta
from typing import cast

import pytest
from redis import Redis

from processor.delivery.subscribers import SECRET_OVERLAP, Subscribers
from processor.errors import Conflict, Invalid, NotFound
from processor.store import keys
from tests.support.counting import RoundTrips
from tests.support.workbench import Moving


@pytest.fixture
def kept(redis_url: str) -> Iterator[Subscribers]:
    with Redis.from_url(redis_url) as client:
        yield Subscribers(client, allow_private=False, clock=Moving())


def test_what_was_added_is_found_as_it_was(kept: Subscribers) -> None:
    made = kept.add(
        url="https://example.com/hook",
        types=["initial_sync.completed"],
        headers={"X-Own": "1"},
        description="ours",
        ordered=True,
        rate_per_s=2.5,
    )
    assert kept.find(made.id) == made
    assert kept.all() == [made]
    assert made.secret.startswith("whsec_")
    assert made.wants("initial_sync.completed")
    assert not made.wants("initial_sync.failed")


def test_what_is_answered_comes_with_the_write(redis_url: str) -> None:
    """It was read afterwards: after a failover another server may answer, which has not got it yet."""
    trips = RoundTrips()
    with trips.client(redis_url) as client:
        kept = Subscribers(client, allow_private=False, clock=Moving())
        made = kept.add(url="https://example.com/", enabled=False)
        assert b"EXEC" in trips.sent[-1]
        assert kept.change(made.id, description="ours").description == "ours"
        assert b"EXEC" in trips.sent[-1]
        assert kept.change(made.id, url=made.url).url == made.url
        assert b"EXEC" in trips.sent[-1]


def test_a_secret_is_in_no_text(kept: Subscribers) -> None:
    made = kept.add(url="https://example.com/", headers={"Authorization": "Bearer hush"})
    assert made.secret not in repr(made)
    assert "hush" not in repr(made)


def test_what_is_not_named_stays(kept: Subscribers) -> None:
    made = kept.add(url="https://example.com/", headers={"X": "1"}, ordered=True, rate_per_s=5)
    changed = kept.change(made.id, url="https://example.org/", types=["connection.deleted"])
    assert (changed.url, changed.types) == ("https://example.org/", ("connection.deleted",))
    assert (changed.headers, changed.ordered, changed.secret) == ({"X": "1"}, True, made.secret)
    assert changed.rate_per_s == 5
    assert kept.change(made.id, rate_per_s=None).rate_per_s == 0
    assert kept.change(made.id, types=None, headers=None, ordered=False).types == ()


def test_an_address_that_stays_is_not_checked_again(kept: Subscribers) -> None:
    """It was set while ALLOW_HTTP_SUBSCRIBERS was on; forms send it with whatever else is changed."""
    lenient = Subscribers(kept._client, allow_private=False, allow_http=True)
    made = lenient.add(url="http://example.com/")
    assert kept.change(made.id, url=made.url, description="new").description == "new"
    with pytest.raises(Invalid):
        kept.change(made.id, url="http://example.org/")


@pytest.mark.parametrize(
    "wanted", [{"url": "http://127.0.0.1/"}, {"types": ["x"]}, {"headers": {"Host": "x"}}]
)
def test_nothing_is_changed_when_a_part_cannot_be(kept: Subscribers, wanted: dict[str, object]) -> None:
    made = kept.add(url="https://example.com/")
    with pytest.raises(Invalid):
        kept.change(made.id, **{"description": "new", **wanted})
    assert kept.find(made.id) == made


def test_after_a_rotation_both_secrets_sign_for_24_hours(kept: Subscribers) -> None:
    made = kept.add(url="https://example.com/")
    now = kept._clock()
    rotated = kept.rotate(made.id)
    assert timedelta(hours=24) == SECRET_OVERLAP
    assert rotated.signing_keys(now) == (rotated.secret, made.secret)
    assert rotated.signing_keys(now + SECRET_OVERLAP - timedelta(milliseconds=1)) == (
        rotated.secret,
        made.secret,
    )
    assert rotated.signing_keys(now + SECRET_OVERLAP) == (rotated.secret,)


def test_rotated_twice_all_three_sign_and_what_is_over_is_forgotten(kept: Subscribers) -> None:
    first = kept.add(url="https://example.com/")
    second = kept.rotate(first.id)
    third = kept.rotate(first.id)
    assert third.signing_keys(kept._clock()) == (third.secret, second.secret, first.secret)
    cast(Moving, kept._clock).forward(SECRET_OVERLAP.total_seconds())
    fourth = kept.rotate(first.id)
    assert [old for old, _ in fourth.old_secrets] == [third.secret]


def test_who_is_gone_cannot_be_changed_nor_brought_back_by_halves(kept: Subscribers) -> None:
    made = kept.add(url="https://example.com/")
    kept.remove(made.id)
    for change in (lambda: kept.change(made.id, url="https://a.example/"), lambda: kept.rotate(made.id)):
        with pytest.raises(NotFound):
            change()
    assert kept._client.exists(keys.subscriber(made.id)) == 0
    assert kept.all() == []


def test_there_is_a_limit(kept: Subscribers) -> None:
    limited = Subscribers(kept._client, allow_private=False, most=1)
    limited.add(url="https://example.com/")
    with pytest.raises(Conflict):
        limited.add(url="https://example.com/")
