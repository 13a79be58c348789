"""One limiter for all that asks Codat, in whatever process."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from handlers.effects import PausePolling, ResumePolling
from processor.codat.http_headers import Quota
from processor.codat.rate_limit import BURST, LEASE_MS, PER_COMPANY, Priority, RateLimiter
from processor.codat.rate_limited_transport import company_in
from processor.errors import CodatRateLimited, CodatUnavailable
from processor.store import codat_status, questions
from tests.support.workbench import Moving

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def client(redis_url):
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def clock():
    return Moving(datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0))


@pytest.fixture
def limiter(client, clock):
    return RateLimiter(client, clock=clock, sleep=clock.forward)


def take(limiter, count, priority=Priority.BACKGROUND, company=None):
    """Requests that are answered at once; how many got permit."""
    granted = 0
    for _ in range(count):
        try:
            permit = limiter.acquire(priority, company)
        except CodatRateLimited:
            return granted
        limiter.release(permit)
        granted += 1
    return granted


def told(limiter, clock, *, limit, remaining, resets=None, priority=Priority.CHECK, wait_s=None):
    """An answer that shows the quota."""
    permit = limiter.acquire(priority)
    limiter.release(permit, Quota(clock(), limit, remaining, resets), wait_s)


def test_no_minute_ever_has_more_than_a_thousand_requests(limiter, clock):
    moments = []
    while len(moments) < 2_500:
        permit = limiter.acquire(Priority.JOURNEY)
        moments.append(clock())
        limiter.release(permit)
        if len(moments) % 1_500 == 0:
            clock.forward(45)  # a pause fills the burst again

    most = max(
        sum(start <= moment < start + timedelta(minutes=1) for moment in moments[place : place + 1_200])
        for place, start in enumerate(moments)
        if place % 10 == 0
    )
    assert 900 < most <= 1_000


def test_background_work_permits_a_part_of_each_burst(client, clock):
    impatient = RateLimiter(client, clock=clock, sleep=lambda _: pytest.fail("nobody ought to wait"))
    permits = [impatient.acquire(Priority.BACKGROUND) for _ in range(BURST - 20)]

    assert len(permits) == 80
    assert [impatient.acquire(Priority.JOURNEY) for _ in range(20)]


def test_a_company_has_ten_requests_at_a_time_and_places_come_back(limiter):
    permits = [limiter.acquire(Priority.CHECK, "company-1") for _ in range(PER_COMPANY)]
    with pytest.raises(CodatRateLimited):
        limiter.acquire(Priority.CHECK, "company-1")
    assert limiter.acquire(Priority.CHECK, "company-2")

    limiter.release(permits[0])

    assert limiter.acquire(Priority.CHECK, "company-1")


def test_a_place_that_nobody_gives_back_is_free_again(limiter, clock):
    for _ in range(PER_COMPANY):
        limiter.acquire(Priority.CHECK, "company-1")
    clock.forward(LEASE_MS / 1000 + 1)

    assert limiter.acquire(Priority.CHECK, "company-1")


def test_the_limits_hold_over_threads_and_processes(redis_url, clock):
    limiters = [RateLimiter(Redis.from_url(redis_url), clock=clock, sleep=lambda _: None) for _ in range(4)]
    under_way, most, lock = 0, 0, threading.Lock()
    barrier = threading.Barrier(4)

    def work(limiter):
        nonlocal under_way, most
        barrier.wait(30)
        granted = 0
        for _ in range(15):
            try:
                permit = limiter.acquire(Priority.CHECK, "company-1")
            except CodatRateLimited:
                continue
            with lock:
                under_way += 1
                most = max(most, under_way)
            granted += 1
            with lock:
                under_way -= 1
            limiter.release(permit)
        return granted

    with ThreadPoolExecutor(4) as pool:
        granted = sum(pool.map(work, limiters))
    for limiter in limiters:
        limiter.client.close()

    assert most <= PER_COMPANY
    assert 0 < granted <= BURST


def test_background_work_never_takes_the_last_fifth_of_the_day_and_the_journey_may(limiter, clock, client):
    told(limiter, clock, limit=1_000, remaining=230, resets=clock() + timedelta(hours=12))

    assert take(limiter, 100) == 30
    with pytest.raises(CodatRateLimited) as refused:
        limiter.acquire(Priority.BACKGROUND)
    assert refused.value.retry_after_s == pytest.approx(12 * 3600, abs=60)
    assert take(limiter, 40, Priority.JOURNEY) == 40
    assert take(limiter, 10, Priority.CHECK) == 10
    assert codat_status.read(client, clock())["quota"]["remaining"] == 150

    clock.forward(12 * 3600)
    assert take(limiter, 10) == 10  # the quota is full again


def test_without_a_time_of_reset_the_quota_is_full_again_at_midnight(limiter, clock):
    told(limiter, clock, limit=1_000, remaining=100)

    assert take(limiter, 1) == 0
    clock.forward(12 * 3600 + 1)
    assert take(limiter, 1) == 1


def test_an_answer_that_comes_late_does_not_raise_the_quota_again(limiter, clock, client):
    resets = clock() + timedelta(hours=12)
    early, late = limiter.acquire(Priority.CHECK), limiter.acquire(Priority.CHECK)
    limiter.release(late, Quota(clock(), 1_000, 500, resets))
    limiter.release(early, Quota(clock(), 1_000, 501, resets))

    assert codat_status.read(client, clock())["quota"]["remaining"] == 500


def test_what_is_under_way_counts_as_taken(limiter, clock, client):
    resets = clock() + timedelta(hours=12)
    first = limiter.acquire(Priority.CHECK)
    for _ in range(5):
        limiter.acquire(Priority.CHECK)
    limiter.release(first, Quota(clock(), 1_000, 500, resets))

    assert codat_status.read(client, clock())["quota"]["remaining"] == 495


def test_a_wrong_clock_at_codat_does_not_shift_the_reset(limiter, clock):
    theirs = clock() + timedelta(minutes=10)
    permit = limiter.acquire(Priority.CHECK)
    limiter.release(permit, Quota(theirs, 1_000, 0, theirs + timedelta(hours=2)))

    with pytest.raises(CodatRateLimited) as refused:
        limiter.acquire(Priority.BACKGROUND)
    assert refused.value.retry_after_s == 2 * 3600


def test_too_many_requests_stop_all_but_the_journey_for_as_long_as_codat_says(limiter, clock):
    told(limiter, clock, limit=None, remaining=None, wait_s=90)

    assert take(limiter, 1, Priority.BACKGROUND) == take(limiter, 1, Priority.CHECK) == 0
    assert take(limiter, 1, Priority.JOURNEY) == 1
    clock.forward(91)
    assert take(limiter, 1, Priority.BACKGROUND) == take(limiter, 1, Priority.CHECK) == 1


def test_the_wait_is_counted_from_the_answer_and_not_from_the_question(client, limiter, clock):
    """On a busy machine time passes between reading the clock and Redis's answer: once 40 s became of 20."""
    told(limiter, clock, limit=None, remaining=None, wait_s=40)
    busy = RateLimiter(client, clock=lambda: clock.forward(10))

    with pytest.raises(CodatRateLimited) as refused:
        busy.acquire(Priority.CHECK)

    assert refused.value.retry_after_s == 20


def pause(client, clock, polling):
    with client.pipeline(transaction=True) as pipe:
        questions.write_polling(pipe, polling, clock())
        pipe.execute()


@pytest.mark.parametrize(
    "until_s", [3600, None, 40 * 3600], ids=["its date", "midnight", "midnight before its date"]
)
def test_the_message_that_the_quota_is_used_up_stops_the_background_until_its_date_or_midnight(
    limiter, clock, client, until_s
):
    clock.forward(86_400)  # the key expires by Redis's own clock, which must not overtake ours
    midnight = (clock() + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    rests_s = min(until_s or 10**6, (midnight - clock()).total_seconds())
    until = None if until_s is None else clock() + timedelta(seconds=until_s)
    pause(client, clock, PausePolling(until))

    assert take(limiter, 1) == 0
    assert take(limiter, 1, Priority.CHECK) == take(limiter, 1, Priority.JOURNEY) == 1
    clock.forward(0.9 * rests_s)
    assert take(limiter, 1) == 0
    clock.forward(0.2 * rests_s)
    assert take(limiter, 1) == 1


def test_the_message_that_it_is_full_again_lets_the_background_go_on(limiter, clock, client):
    pause(client, clock, PausePolling(None))
    told(limiter, clock, limit=1_000, remaining=0, wait_s=5_000)

    pause(client, clock, ResumePolling())

    assert take(limiter, 5) == 5


def test_without_redis_whoever_waits_goes_on_and_the_background_does_not(clock):
    with Redis(unix_socket_path="/nonexistent/engine.sock") as nowhere:
        limiter = RateLimiter(nowhere, clock=clock)
        assert limiter.acquire(Priority.JOURNEY) is None
        limiter.release(None)
        with pytest.raises(CodatUnavailable):
            limiter.acquire(Priority.BACKGROUND)


@pytest.mark.parametrize(
    ("path", "company"),
    [
        ("/companies/abc", "abc"),
        ("/companies/abc/connections", "abc"),
        ("/proxy/companies/a%2Fb/data/history", "a/b"),
        ("/companies", None),
        ("/companies/", None),
        ("/integrations", None),
        ("/webhooks", None),
    ],
)
def test_a_request_names_its_company(path, company):
    assert company_in(path) == company
