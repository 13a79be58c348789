"""Erased means that nothing is left, as a search of the whole store proves; nothing late brings it back."""

import json
from datetime import timedelta

import pytest
from redis import Redis

from handlers.effects import Ask
from handlers.events import Aspect, Company, CompanyDeleted, Source
from processor.alerts.replay import ReplayService
from processor.codat import observations
from processor.delivery.channels.email import EMAIL
from processor.delivery.lane_admin import LaneAdmin
from processor.erasure.erase import CompanyEraser
from processor.erasure.residue_scan import erase_and_scan, scan
from processor.errors import Conflict, NotFound
from processor.journey.records import Records
from processor.reconciliation.poll_schedule import DuePoll, PollQueue
from processor.store import inbox, keys, questions
from processor.store.inbox import Inbox
from processor.store.waker import Waker
from tests.support import messages
from tests.support.counting import RoundTrips, everything
from tests.support.serving import serving
from tests.support.workbench import Workbench, company_in

COMPANY = "1b1bf54f-5fe0-4ab6-b42b-3b1d5c4e5a01"
OTHER = "2c2ca65a-6af1-4bc7-953c-4c2e6d5f6b02"
CONNECTION = "3d3db76b-7ba2-4cd8-a64d-5d3f7e6a7c03"
MERCHANT = "händler/4711"
CONTACT = "owner@bakery.example"
NAME = "O\u2019Brien\u2019s Bäckerei & Sœn"
"""As it was given; no trace of its own, for others may be called the same."""

TRACES = (COMPANY, CONNECTION, MERCHANT, CONTACT)


@pytest.fixture(autouse=True)
def _flags_outlast_a_busy_machine(monkeypatch):
    """Whether a shard was woken expires by Redis's clock; what is compared must not change by itself."""
    monkeypatch.setattr(inbox, "WAKE_MS", 600_000)


@pytest.fixture
def bench(redis_url):
    with Redis.from_url(redis_url) as client:
        yield Workbench(client)


@pytest.fixture
def erasure(bench):
    return CompanyEraser(bench.client, shards=bench.shards)


def live(bench, company=COMPANY, connection=CONNECTION, merchant=MERCHANT, contact=CONTACT):
    """A company leaves traces everywhere."""
    at = bench.clock()
    bench.handle(
        messages.company("company.created", company, merchant_id=merchant, name="Bakery", at=at),
        messages.created(company, connection, at=at),
        messages.connected(company, connection, at=at),
        messages.initial_read(company, connection, at=at),
        messages.disconnected(company, connection, at=at + timedelta(seconds=1)),
        messages.read(company, connection, {"invoices": "AuthError"}, at=at),
    )
    given = {"contact_email": contact} | ({"given_name": NAME} if company == COMPANY else {})
    bench.client.hset(keys.company(company), mapping=given)
    (dead,) = bench.send(messages.reconnected(company, connection, at=at + timedelta(seconds=9)))
    bench.corrupt(dead.event_id)
    bench.drain_all()
    bench.send(messages.read(company, connection, at=at))  # still waits
    bench.inbox.quarantine(messages.fresh(), json.dumps({"x": company}).encode(), at, "why")
    ask = Ask(Aspect.CONNECTION, company, connection, at, at + timedelta(hours=1), "because")
    with bench.client.pipeline(transaction=True) as pipe:
        questions.write(pipe, [ask])
        pipe.execute()
    for notification in bench.told(connection):
        LaneAdmin(bench.client, clock=bench.clock).requeue(notification["id"], EMAIL.name)
    bench.client.hset(keys.looked(), company, 1)
    bench.client.hset(keys.look_reasons(), company, "[]")
    bench.client.zadd(keys.repairs(), {connection: 1})
    bench.client.sadd(keys.shown(), keys.shown_as(company))
    bench.client.set(keys.asked_again(company), 1)


def test_nothing_is_left_and_others_lose_nothing(bench, erasure):
    live(bench, OTHER, "connection-of-another", "another-merchant", "another@shop.example")
    bench.drain_all()
    alone = everything(bench.client)
    live(bench)
    assert not scan(bench.client, TRACES).is_clean
    assert scan(bench.client, (NAME,)).residue == (keys.company(COMPANY),)

    kept = erasure.erase(COMPANY, bench.clock())

    assert set(kept.identifiers) == set(TRACES)
    assert kept.counts == {
        "companies": 1,
        "connections": 1,
        "messages": 9,
        "notifications": 3,
        "stream entries": 3,
        "questions": 1,
    }
    proof = scan(bench.client, (*TRACES, NAME))
    assert proof.residue == ()
    assert proof.searched > 20
    now = everything(bench.client)
    passing = (
        "codat:cursor",
        "codat:wake",
        "codat:counters",
        "codat:seen",
        "codat:erased",
        "codat:inbox",
        "rq:",
    )
    assert {name for name in set(alone) - set(now) if not name.startswith(passing)} == set()
    assert {name for name in set(now) - set(alone) if not name.startswith(passing)} == set()
    changed = {name for name in alone if alone[name] != now.get(name) and not name.startswith(passing)}
    assert changed <= {"codat:notifications"}  # a stream notes what was removed
    assert len(bench.told("connection-of-another")) == 3


def test_what_comes_late_is_marked_processed_and_dropped(bench, erasure):
    live(bench)
    erasure.erase(COMPANY, bench.clock())
    bench.clock.forward(60)

    ids = bench.handle(
        messages.reconnected(COMPANY, CONNECTION, at=bench.clock()),
        messages.company("company.created", COMPANY, merchant_id=MERCHANT),
        messages.status_alert(COMPANY, CONNECTION, "Unlinked", "Linked"),
        messages.synchronised_alert(COMPANY),
        messages.company("company.deleted", COMPANY),
    )

    assert {bench.status(event_id) for event_id in ids} == {"processed"}
    assert bench.state(CONNECTION) is None
    assert scan(bench.client, (COMPANY, CONNECTION)).residue == ()
    with pytest.raises(Conflict, match="erased"):
        ReplayService(reader=bench.reader, inbox=bench.inbox, waker=Waker(bench.client)).replay(ids[0])


def test_the_tombstone_tells_nothing_of_the_company(bench, erasure):
    live(bench)
    erasure.erase(COMPANY, bench.clock())

    (stone,) = bench.client.keys(b"codat:erased:*")
    assert COMPANY.encode() not in stone
    assert bench.client.get(stone).decode().startswith("2026-")
    assert bench.client.ttl(stone) == -1


def test_a_drain_under_way_cannot_bring_it_back(bench, erasure):
    """The drain has read the company; the erasure comes between its reading and its commit."""
    bench.handle(messages.connected(COMPANY, CONNECTION, at=bench.clock()))
    bench.send(messages.company("company.created", COMPANY, merchant_id=MERCHANT, name="Bakery"))
    drain = bench.drain()
    learn = []

    class Interrupted(type(drain)):
        def _understand(self, *args):
            found = super()._understand(*args)
            if not learn:
                learn.append(erasure.erase(COMPANY, bench.clock()))
            return found

    drain.__class__ = Interrupted
    drain.run(keys.shard_of(COMPANY, bench.shards))
    bench.client.delete(keys.wake(keys.shard_of(COMPANY, bench.shards)))
    bench.drain_all()

    assert learn
    assert scan(bench.client, (COMPANY, CONNECTION, MERCHANT)).residue == ()


def test_a_merchant_who_has_another_company_by_now_keeps_it(bench, erasure):
    live(bench)
    bench.handle(messages.company("company.created", OTHER, merchant_id=MERCHANT, at=bench.clock()))

    kept = erasure.erase(COMPANY, bench.clock())

    assert MERCHANT not in kept.identifiers
    assert bench.reader.current_company_id(MERCHANT) == OTHER


def test_a_sign_up_that_read_the_company_before_it_was_erased_leaves_no_address_behind(bench, erasure):
    """The address came back, for ever, in a row that no list showed."""
    live(bench)
    records = Records(bench.client)
    records.save_local_fields(COMPANY, {"contact_email": "new@bakery.example", "given_name": NAME})
    assert bench.reader.company(COMPANY)["contact_email"] == "new@bakery.example"
    erasure.erase(COMPANY, bench.clock())

    records.save_local_fields(COMPANY, {"contact_email": CONTACT, "given_name": NAME})

    assert scan(bench.client, (*TRACES, NAME)).residue == ()


def test_two_companies_of_one_merchant_are_erased_one_after_the_other(bench, erasure):
    live(bench)
    live(bench, OTHER, "connection-of-another")

    assert MERCHANT not in erasure.erase(COMPANY, bench.clock()).identifiers
    assert scan(bench.client, (COMPANY, CONNECTION)).residue == ()
    assert bench.reader.company_ids(MERCHANT) == [OTHER]

    kept = erasure.erase(OTHER, bench.clock())
    assert MERCHANT in kept.identifiers
    assert scan(bench.client, (*kept.identifiers, *TRACES)).residue == ()


def test_of_a_company_that_changed_hands_no_merchant_is_left(bench, erasure):
    live(bench)
    bench.client.delete(keys.wake(keys.shard_of(COMPANY, bench.shards)))
    bench.clock.forward(60)
    bench.handle(
        messages.connected(COMPANY, "connection-2", merchant_id="another-merchant", at=bench.clock())
    )

    kept = erasure.erase(COMPANY, bench.clock())

    assert "another-merchant" in kept.identifiers
    assert scan(bench.client, (*kept.identifiers, *TRACES)).residue == ()


@pytest.mark.parametrize("named", ["never-heard-of", "1b1bf54f-5fe0-4ab6-b42b-3b1d5c4e5a99", COMPANY[:8]])
def test_a_mistyped_id_is_refused_and_leaves_no_tombstone(bench, erasure, named):
    """Nothing is left, it was told, and a tombstone of the wrong id was kept; the right one lost nothing."""
    live(bench)
    before = everything(bench.client)

    with pytest.raises(NotFound, match="no company with this id"):
        erasure.erase(named, bench.clock())

    assert everything(bench.client) == before


@pytest.mark.parametrize("named", [COMPANY.upper(), f" {COMPANY}", f"{COMPANY}\n"])
def test_blanks_and_the_case_of_an_id_do_not_matter(bench, erasure, named):
    live(bench)

    assert erasure.resolve_id(named) == COMPANY
    erasure.erase(named, bench.clock())

    assert scan(bench.client, TRACES).residue == ()
    assert bench.client.keys(b"codat:erased:*") == [keys.erased(COMPANY).encode()]


def test_an_id_that_came_in_upper_case_is_kept_and_found_in_lower_case(bench, erasure):
    bench.handle(messages.connected(COMPANY.upper(), CONNECTION, at=bench.clock()))

    assert erasure.resolve_id(COMPANY.upper()) == erasure.resolve_id(COMPANY) == COMPANY
    assert scan(bench.client, [COMPANY]).residue  # the proof looks for it in either case


def test_a_company_that_only_waits_for_its_erasure_is_known(bench, erasure):
    bench.client.zadd(keys.erasures(), {"company-1": 0})

    assert list(erasure.due_companies(bench.clock(), timedelta(days=30))) == ["company-1"]
    erasure.erase("company-1", bench.clock())

    assert list(erasure.due_companies(bench.clock(), timedelta(days=30))) == []


def test_erased_twice_it_is_the_same_and_what_came_since_goes(bench, erasure):
    live(bench)
    erasure.erase(COMPANY, bench.clock())
    first = bench.reader.erased_at(COMPANY)
    bench.clock.forward(60)
    bench.inbox.quarantine("msg_late", json.dumps({"x": COMPANY}).encode(), bench.clock(), "why")

    assert erasure.erase(COMPANY, bench.clock()).counts["messages"] == 1
    assert not any(erasure.erase(COMPANY, bench.clock()).counts.values())
    assert bench.reader.erased_at(COMPANY) == first


QUARANTINED = {
    "nothing": b"not json",
    "another": json.dumps({"companyId": OTHER}).encode(),
    "word": b'{"companyId": "c", "say": "company-1 and company-10"}',
    "upper": b'{"broken": ' + COMPANY.upper().encode(),
    "path": json.dumps({"url": f"https://app.example/companies/{COMPANY}/x"}).encode(),
}


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_a_blank_names_nothing(bench, erasure, blank):
    """`companies erase ""` deleted every message in quarantine: nothing stands in everything."""
    for event_id, body in QUARANTINED.items():
        bench.inbox.quarantine(event_id, body, bench.clock(), "why")
    before = everything(bench.client)

    with pytest.raises(NotFound):
        erasure.erase(blank, bench.clock())

    assert everything(bench.client) == before


def test_messages_in_quarantine_go_with_the_company_that_they_name_and_with_no_other(bench, erasure):
    """A short id stood in bodies by chance."""
    for event_id, body in QUARANTINED.items():
        bench.inbox.quarantine(event_id, body, bench.clock(), "why")

    assert bench.inbox.discard("path", status="quarantined")

    with pytest.raises(NotFound):  # a word that some message holds is not the id of a company
        erasure.erase("c", bench.clock())
    assert set(erasure.erase(COMPANY, bench.clock()).events) == {"upper", "path"}
    assert scan(bench.client, [COMPANY]).residue == ()
    bench.handle(messages.connected("company-1", CONNECTION, at=bench.clock()))
    assert {"word"}.isdisjoint(erasure.erase("company-1", bench.clock()).events)
    bench.handle(messages.connected("c", "another", at=bench.clock()))
    assert "word" in erasure.erase("c", bench.clock()).events
    left = bench.client.zrange(keys.events_of("quarantined"), 0, -1)
    assert set(left) == {b"nothing", b"another"}


def test_a_message_that_left_the_quarantine_is_erased_though_nobody_handled_it_yet(bench, erasure, redis_url):
    """A crash between the steps of a replay left a body that no erasure found."""
    body = messages.connected(COMPANY, CONNECTION, at=bench.clock())
    bench.inbox.quarantine("msg_1", body, bench.clock(), "why")
    trips = RoundTrips()
    with trips.client(redis_url) as client:
        inbox = Inbox(client, shards=bench.shards)
        inbox.release(messages.understood(body, "msg_2"))  # the engine learns the script
        trips.reset()
        assert inbox.release(messages.understood(body, "msg_1"))[0]
        assert trips.count == 1

    assert erasure.erase(COMPANY, bench.clock()).events == ["msg_1"]
    assert not bench.client.exists(keys.event("msg_1"))


def test_every_kind_of_key_is_searched(bench):
    client = bench.client
    client.set("a:needle-1", "x")
    client.set("b", "xx needle-1 xx")
    client.hset("c", "needle-1", "x")
    client.hset("d", "x", "needle-1")
    client.zadd("e", {"needle-1": 1})
    client.sadd("f", "needle-1")
    client.rpush("g", *(["x"] * 1_500), "needle-1")
    for number in range(1_500):
        client.xadd("h", {"entry": "x" if number < 1_400 else "needle-1"})
    client.set("i", json.dumps({"name": "händler"}))
    client.set("j", "m")
    client.set("k:m", "x")
    client.set("l", "something with m in it")

    assert scan(client, ["needle-1"]).residue == ("a:needle-1", "b", "c", "d", "e", "f", "g", "h")
    assert scan(client, ["händler"]).residue == ("i",)
    assert scan(client, ["m"]).residue == ("j", "k:m")


# Deleted at Codat


def delete(truth, company):
    truth.world.delete_company(company)
    truth.bench.handle(messages.company("company.deleted", company, at=truth.clock()))


def connected(truth):
    company = truth.company("Bakery")
    connection = truth.connect(company)
    truth.change(connection, "authorize")
    truth.bench.handle(messages.connected(company, connection, at=truth.clock()))
    truth.settle(for_s=5)
    return company, connection


def delivered(truth):
    """The notices go out: there is no subscriber, so nothing waits in a lane."""
    truth.bench.client.delete(keys.fan_out())


def test_a_company_deleted_at_codat_is_told_and_erased_after_the_grace_time(truth):
    company, connection = connected(truth)
    delete(truth, company)
    assert truth.bench.told_types(connection)[-1] == "connection.deleted"
    delivered(truth)

    truth.clock.forward(29 * 86_400)
    truth.sweep.run()
    assert truth.bench.state(connection) == "deleted"
    truth.clock.forward(2 * 86_400)
    truth.sweep.run()

    assert truth.bench.state(connection) is None
    assert scan(truth.bench.client, (company, connection, "m-Bakery")).residue == ()


def test_it_is_not_erased_before_its_notices_are_delivered_or_dead(truth):
    company, connection = connected(truth)
    delete(truth, company)
    truth.clock.forward(40 * 86_400)
    truth.sweep.run()
    assert truth.bench.state(connection) == "deleted"  # not divided among the lanes yet

    delivered(truth)
    notice = truth.bench.told(connection)[-1]["id"]
    control = LaneAdmin(truth.bench.client, clock=truth.clock)
    control.requeue(notice, EMAIL.name)
    truth.clock.forward(120)
    truth.sweep.run()
    assert truth.bench.state(connection) == "deleted"  # waits in a lane

    control.abandon(EMAIL.name, removed=False)  # dead
    truth.clock.forward(120)
    truth.sweep.run()
    assert truth.bench.state(connection) is None


def test_a_company_that_its_owner_deletes_here_is_erased_without_grace(truth):
    company, connection = connected(truth)
    truth.world.delete_company(company)
    event = CompanyDeleted(
        event_id=messages.fresh(),
        event_type=observations.COMPANY_DELETED,
        source=Source.JOURNEY,
        received_at=truth.clock(),
        at=truth.clock(),
        company=Company(company),
    )
    truth.bench.inbox.accept(event, observations.encode(event))
    truth.settle()
    assert truth.bench.told_types(connection)[-1] == "connection.deleted"
    delivered(truth)

    truth.clock.forward(61)
    truth.sweep.run()

    assert truth.bench.state(connection) is None
    assert scan(truth.bench.client, (company, connection, "m-Bakery")).residue == ()


def test_the_sweep_does_not_resurrect_what_was_erased(truth):
    company, _ = connected(truth)
    truth.reconcile()
    truth.erasure.erase(company, truth.clock())

    truth.run(for_s=26 * 3600, step_s=1800)

    assert scan(truth.bench.client, (company, "m-Bakery")).residue == ()


def test_companies_of_all_shards_can_be_erased(bench, erasure):
    for shard in range(4):
        company = company_in(shard)
        bench.handle(messages.connected(company, f"connection-of-{company}", at=bench.clock()))
        erasure.erase(company, bench.clock())
        assert scan(bench.client, (f"connection-of-{company}",)).residue == ()


def test_a_company_deleted_by_the_api_is_deleted_at_codat_then_here_and_nothing_is_left(redis_url, truth):
    company, connection = connected(truth)
    caller = serving(
        redis_url,
        API_KEYS="key",
        CODAT_API_KEY=truth.server.config.api_key,
        CODAT_API_URL=truth.server.url,
    )

    answer = caller.delete(f"/v1/companies/{company}", headers={"Authorization": "Bearer key"})

    assert answer.status_code < 300, answer.data
    truth.settle()
    assert truth.bench.told_types(connection)[-1] == "connection.deleted"
    assert truth.simulation.truth()["companies"][company]["deleted"]
    delivered(truth)
    again = caller.delete(f"/v1/companies/{company}", headers={"Authorization": "Bearer key"})
    assert again.status_code == 204
    truth.clock.forward(120)
    truth.sweep.run()
    assert scan(truth.bench.client, (company, connection, "m-Bakery")).residue == ()
    erased = caller.delete(f"/v1/companies/{company}", headers={"Authorization": "Bearer key"})
    assert erased.status_code == 404


class Landing(CompanyEraser):
    """An erasure during which work lands that had begun before: a message, and the end of a look."""

    def __init__(self, bench, land):
        super().__init__(bench.client, shards=bench.shards)
        self.left = list(land)

    def erase(self, named, now):
        kept = super().erase(named, now)
        if kept.counts["companies"] == 0 and self.left:
            self.left.pop(0)()
        return kept


def test_what_is_on_its_way_is_waited_for(bench):
    """In the same second as `DELETE /v1/companies` the search found a left-over, once: exit code 1.

    What lands after the erasure is removed in another round, and only then the search counts.
    """
    live(bench)
    due = DuePoll(COMPANY, bench.clock(), None, None, None)
    looks = PollQueue(bench.client)
    land = (
        lambda: looks.postpone(due, bench.clock() + timedelta(hours=1)),
        lambda: bench.send(messages.company("company.deleted", COMPANY, at=bench.clock())),
    )
    rounds = []
    erasure = Landing(bench, land)

    report = erase_and_scan(bench.client, erasure, COMPANY, clock=bench.clock, sleep=rounds.append)

    assert erasure.left == []
    assert len(rounds) == len(land)
    assert report.scan.is_clean, report.scan.residue
    assert report.removed.counts["companies"] == 1
    assert set(report.identifiers) == set(TRACES)


def test_what_others_keep_is_not_waited_for(bench, erasure):
    live(bench)
    bench.client.set("somebody-elses", COMPANY)
    rounds = []
    report = erase_and_scan(bench.client, erasure, COMPANY, clock=bench.clock, sleep=rounds.append)
    assert (report.scan.residue, rounds) == (("somebody-elses",), [])


def test_a_damaged_record_is_erased_with_the_note_of_it(bench, erasure):
    """The note that a connection cannot be read names its id: it goes with the company."""
    live(bench)
    bench.client.set(keys.connection(CONNECTION), b"{garbage")
    assert bench.reader.connection(CONNECTION) is None
    erasure.erase(COMPANY, bench.clock())
    assert scan(bench.client, TRACES).residue == ()
