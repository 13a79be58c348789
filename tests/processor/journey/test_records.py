"""What the journey keeps has the type and the lifetime that its key states, and locks end by themselves."""

from collections.abc import Callable

import pytest
from redis import Redis

from processor.errors import StoreUnavailable
from processor.journey.platform_cache import KEPT_S, REFRESH_LOCK_S, PlatformCache
from processor.journey.records import LOCK_S, Records
from processor.store import keys
from tests.support.journeying import Desk


def test_what_a_journey_leaves_behind_has_the_stated_lifetime(
    desk: Desk, client: Redis, drain: Callable[[], None]
) -> None:
    company_id = desk.company()
    desk.journey.offers.enabled()
    desk.do_in_background()
    connection_id = desk.journey.connect(company_id, "gbol").connection_id
    drain()
    desk.journey.queue_questions(company_id, connection_id)

    assert client.ttl(keys.signing_key()) == -1
    assert client.ttl(keys.asked_again(company_id)) in (-2, 0, 1, 2, 3)  # -2: it is gone already
    (catalogue,) = client.scan_iter(keys.platforms("*"))
    assert KEPT_S - 60 < client.ttl(catalogue) <= KEPT_S
    for lock in (keys.signing_up("*"), keys.connecting("*"), keys.reading_platforms("*")):
        assert list(client.scan_iter(lock)) == []
    assert {client.type(key) for key in (keys.signing_key(), catalogue)} == {b"string"}


def test_a_lock_that_its_owner_took_to_the_grave_ends_by_itself(client: Redis) -> None:
    with (
        Records(client).signing_up("m-1"),
        Records(client).connecting("c-1"),
        PlatformCache(client, "a").refresh_lock() as is_locked,
    ):
        assert is_locked
        (name,) = client.scan_iter(keys.signing_up("*"))
        assert b"m-1" not in name
        for lock, most_s in (
            (name, LOCK_S),
            (keys.connecting("c-1"), LOCK_S),
            (keys.reading_platforms("a"), REFRESH_LOCK_S),
        ):
            assert 0 < client.ttl(lock) <= most_s


def test_whoever_waits_too_long_is_told_to_try_again(client: Redis) -> None:
    impatient = Records(client, lock_wait_s=0.1)
    with Records(client).signing_up("m-1"):
        with pytest.raises(StoreUnavailable) as caught, impatient.signing_up("m-1"):
            pass
        with Records(client).signing_up("m-2"):
            pass
    assert caught.value.headers()["Retry-After"]
    with Records(client).signing_up("m-1"):
        pass


def test_a_lock_that_ran_out_meanwhile_is_left_to_its_next_owner(client: Redis) -> None:
    with Records(client).signing_up("m-1"):
        (name,) = client.scan_iter(keys.signing_up("*"))
        client.set(name, "somebody else")
    assert client.get(name) == b"somebody else"
