"""Asking Codat, here the simulator over HTTP: claims, checks and doubts are settled by its answers."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from redis import Redis

from handlers.effects import Ask
from handlers.events import Aspect
from handlers.registry import Policy
from processor.clock import from_iso
from processor.codat.client import CodatClient
from processor.codat.questions import QuestionClient
from processor.errors import CodatRateLimited, CodatUnavailable
from processor.simulator import SimulatorConfig, SimulatorServer
from processor.store import keys, questions, visibility
from tests.support import messages
from tests.support.counting import everything
from tests.support.workbench import Moving, Workbench
from workers.codat.questions import AGAIN_S, QuestionRunner
from workers.inbox.drain import Drain

PATIENCE_S = 60.0
BUDGET_S = 90.0
"""How long a call to Codat may take by itself, in real seconds."""


class Codat:
    """A simulated Codat whose clock is the test's, and who asks it."""

    def __init__(self, server: SimulatorServer, bench: Workbench, client: CodatClient) -> None:
        self.simulation = server.simulation
        self.world = server.simulation.world
        self.url = server.url
        self.bench = bench
        self.asking = self.asking_with(client)
        self.ahead = timedelta()

    def asking_with(self, client: CodatClient) -> QuestionRunner:
        """Whoever puts our questions to this Codat."""
        bench = self.bench
        return QuestionRunner(
            questions=bench.questions,
            inbox=bench.inbox,
            reader=bench.reader,
            waker=bench.waker,
            asker=QuestionClient(client, clock=bench.clock),
            clock=bench.clock,
        )

    def connect(self, platform: str = "gbol", company: str | None = None) -> SimpleNamespace:
        """A connection that waits for authorisation."""
        company = company or self.world.create_company("Toft stores").id
        made = self.world.create_connection(company, platform)
        return SimpleNamespace(id=made.id, company=company)

    def change(self, name: str, connection: SimpleNamespace, **options: object) -> datetime:
        """Something happens at Codat, of which we hear nothing by this; when it happened by Codat's clock."""
        self.simulation.change(connection.id, name, {"auto_sync": False, "deliver": "drop", **options})
        return self.bench.clock() + self.ahead

    def break_down(self, status: int = 503, **fault: object) -> None:
        """Every call is answered with an error from now on."""
        self.simulation.faults.plan({"status": status, "count": 10_000, **fault})

    def answer_again(self) -> None:
        """Codat is well."""
        self.simulation.faults.clear()

    def settle(self, *, for_s: float = 0.0) -> list[float]:
        """Ask and handle whatever is due, moving the clock from question to question for so long.

        Returns when something was asked, in seconds from the beginning.
        """
        began = self.bench.clock()
        end = began + timedelta(seconds=for_s)
        asked = []
        while True:
            self.bench.drain_all()
            due = self.bench.questions.next_due()
            if due is None or due > end:
                self.bench.clock.now = max(self.bench.clock.now, end)
                return asked
            self.bench.clock.now = max(self.bench.clock.now, due)
            asked.append((self.bench.clock() - began).total_seconds())
            assert self.asking.run() > 0

    def sources(self, connection: SimpleNamespace) -> list[tuple[str, str]]:
        """The timeline as pairs of event type and outcome."""
        return [(line["event_type"], line["outcome"]) for line in self.bench.timeline(connection.id)]


@pytest.fixture
def codat(redis_url: str) -> Iterator[Codat]:
    """A Codat without any connection, and us with a key to it."""
    clock = Moving(datetime.now(UTC).replace(microsecond=0))

    def theirs() -> float:
        return (clock() + codat.ahead if codat else clock()).timestamp()

    codat: Codat | None = None
    config = SimulatorConfig(auto_sync=False)
    with (
        Redis.from_url(redis_url) as client,
        SimulatorServer(config, theirs) as server,
        CodatClient(
            api_key=config.api_key,
            base_url=server.url,
            timeout_s=BUDGET_S,
            budget_s=BUDGET_S,
            sleep=lambda _: None,
            jitter=lambda: 0.0,
        ) as api,
    ):
        policy = Policy(can_ask=True, patience_s=PATIENCE_S, late_after_s=600)
        codat = Codat(server, Workbench(client, policy=policy, clock=clock), api)
        yield codat


def linked(codat):
    """A connection that is linked, which we were told."""
    connection = codat.connect()
    at = codat.change("authorize", connection)
    codat.bench.handle(messages.connected(connection.company, connection.id, at=at))
    codat.settle(for_s=10)
    assert codat.bench.told_types(connection.id) == ["connection.authorized"]
    return connection


# Claims


def test_a_legacy_alert_becomes_a_state_by_what_codat_answers(codat):
    connection = codat.connect()
    codat.change("authorize", connection)

    codat.bench.handle(messages.status_alert(connection.company, connection.id, "PendingAuth", "Linked"))
    assert codat.bench.state(connection.id) == "pending"
    codat.settle(for_s=10)

    assert codat.bench.state(connection.id) == "authorized"
    assert codat.bench.told_types(connection.id) == ["connection.authorized"]
    assert ("codat-api.connection", "applied") in codat.sources(connection)
    assert codat.bench.timeline(connection.id)[-1]["source"] == "codat-api"
    assert codat.bench.questions.next_due() is None


def test_a_first_sync_that_is_claimed_for_the_whole_company_is_read_from_its_history(codat):
    connection = linked(codat)
    codat.change("start-sync", connection)
    codat.bench.clock.forward(5)
    codat.change("complete-sync", connection, outcomes={"invoices": "FetchError", "bills": "Complete"})

    codat.bench.handle(messages.synchronised_alert(connection.company))
    assert codat.bench.state(connection.id) == "authorized"
    codat.settle(for_s=10)

    assert codat.bench.state(connection.id) == "ready"
    told = codat.bench.told(connection.id)[-1]
    assert told["type"] == "initial_sync.completed"
    assert told["data"]["data_types"]["failed"] == {"invoices": "FetchError"}
    assert told["data"]["data_types"]["complete"] == ["bills"]


def test_a_claim_that_codat_denies_changes_nothing(codat):
    connection = linked(codat)

    codat.bench.handle(messages.status_alert(connection.company, connection.id, "Linked", "Deauthorized"))
    codat.settle(for_s=PATIENCE_S + 10)

    assert codat.bench.state(connection.id) == "authorized"
    assert codat.bench.told_types(connection.id) == ["connection.authorized"]


def test_a_claim_that_codat_does_not_answer_is_taken_at_its_word_where_it_fits_and_not_before(codat):
    connection = linked(codat)
    codat.break_down()
    codat.bench.handle(messages.status_alert(connection.company, connection.id, "Linked", "Unlinked"))

    codat.settle(for_s=PATIENCE_S - 1)
    assert codat.bench.state(connection.id) == "authorized"
    codat.settle(for_s=2)

    assert codat.bench.state(connection.id) == "unlinked"
    assert codat.bench.told_types(connection.id)[-1] == "connection.unlinked"
    assert "codat-api.unanswered" in [name for name, _ in codat.sources(connection)]


def test_a_claim_that_does_not_fit_and_is_not_answered_is_left_as_a_doubt(codat):
    connection = linked(codat)
    codat.break_down()

    codat.bench.handle(messages.status_alert(connection.company, connection.id, "Unlinked", "Deauthorized"))
    codat.settle(for_s=PATIENCE_S + 10)

    assert codat.bench.state(connection.id) == "authorized"
    assert codat.bench.told_types(connection.id) == ["connection.authorized"]
    assert codat.sources(connection)[-1] == ("codat-api.unanswered", "doubt")


def test_a_deleted_connection_is_found_to_be_gone(codat):
    connection = linked(codat)
    codat.change("delete", connection)

    codat.bench.handle(
        messages.legacy("Sync Connection Deleted", company_id=connection.company, connection_id=connection.id)
    )
    codat.settle(for_s=70)

    assert codat.bench.state(connection.id) == "deleted"
    assert codat.bench.told_types(connection.id)[-1] == "connection.deleted"


# Checks


def test_bad_news_is_told_only_after_codat_was_asked(codat):
    connection = linked(codat)
    at = codat.change("deauthorize", connection)
    codat.bench.handle(messages.disconnected(connection.company, connection.id, at=at))
    assert codat.bench.state(connection.id) == "deauthorized"
    assert codat.bench.told_types(connection.id) == ["connection.authorized"]

    (asked,) = codat.settle(for_s=PATIENCE_S)

    assert 3 <= asked < 10
    assert codat.bench.told_types(connection.id) == ["connection.authorized", "connection.deauthorized"]
    told = codat.bench.told(connection.id)[-1]
    assert told["data"]["previous_state"] == "authorized"
    assert from_iso(told["data"]["occurred_at"]) == at
    checking, seen = codat.bench.timeline(connection.id)[-2:]
    assert checking["decisions"][0]["verdict"] == "checking"
    assert (seen["source"], seen["decisions"][0]["verdict"]) == ("codat-api", "told")


def test_bad_news_that_was_overtaken_is_never_told(codat):
    connection = linked(codat)
    at = codat.change("deauthorize", connection)
    codat.bench.clock.forward(4)
    codat.change("reauthorize", connection)  # whose message is lost
    codat.bench.handle(messages.disconnected(connection.company, connection.id, at=at))

    codat.settle(for_s=2 * PATIENCE_S)

    assert codat.bench.state(connection.id) == "authorized"
    assert codat.bench.told_types(connection.id) == ["connection.authorized", "connection.reauthorized"]
    verdicts = [
        decision["verdict"]
        for line in codat.bench.timeline(connection.id)
        for decision in line["decisions"]
        if decision["type"] == "connection.deauthorized"
    ]
    assert verdicts == ["checking", "overtaken"]


def test_while_codat_is_down_bad_news_is_told_when_patience_is_over_and_not_before(codat):
    connection = linked(codat)
    at = codat.change("deauthorize", connection)
    codat.break_down()
    codat.bench.handle(messages.disconnected(connection.company, connection.id, at=at))

    asked = codat.settle(for_s=PATIENCE_S - 0.5)
    assert codat.bench.told_types(connection.id) == ["connection.authorized"]
    assert len(asked) > 5  # it went on asking meanwhile
    codat.settle(for_s=1)

    assert codat.bench.told_types(connection.id)[-1] == "connection.deauthorized"
    last = codat.bench.timeline(connection.id)[-1]
    assert (last["event_type"], last["decisions"][0]["verdict"]) == ("codat-api.unanswered", "told")
    assert codat.bench.questions.next_due() is None


def test_codat_coming_back_in_time_is_believed(codat):
    connection = linked(codat)
    at = codat.change("deauthorize", connection)
    codat.break_down()
    codat.bench.handle(messages.disconnected(connection.company, connection.id, at=at))
    codat.settle(for_s=30)
    codat.answer_again()

    codat.settle(for_s=AGAIN_S + 1)

    assert codat.bench.told_types(connection.id)[-1] == "connection.deauthorized"


def test_late_news_is_checked_before_it_is_told(codat):
    connection = codat.connect()
    at = codat.change("authorize", connection)
    codat.bench.clock.forward(3600)
    codat.change("unlink", connection)  # we are told of neither, and then of the first

    codat.bench.handle(messages.connected(connection.company, connection.id, at=at))
    codat.settle(for_s=2 * PATIENCE_S)

    assert codat.bench.state(connection.id) == "unlinked"
    assert "connection.authorized" not in codat.bench.told_types(connection.id)


def test_without_patience_nothing_waits(codat):
    connection = linked(codat)
    codat.bench.policy = Policy(can_ask=True, patience_s=0)
    at = codat.change("deauthorize", connection)

    codat.bench.handle(messages.disconnected(connection.company, connection.id, at=at))

    assert codat.bench.told_types(connection.id)[-1] == "connection.deauthorized"


# Doubts


def test_a_refused_read_is_a_doubt_that_codat_settles(codat):
    connection = linked(codat)
    codat.change("deauthorize", connection)  # the message of which is lost
    codat.bench.clock.forward(5)

    codat.bench.handle(
        messages.read(connection.company, connection.id, {"invoices": "AuthError"}, at=codat.bench.clock())
    )
    assert codat.bench.state(connection.id) != "deauthorized"
    codat.settle(for_s=PATIENCE_S)

    assert codat.bench.state(connection.id) == "deauthorized"
    assert codat.bench.told_types(connection.id)[-1] == "connection.deauthorized"


def test_a_company_that_our_key_is_not_shown_deletes_nothing(codat):
    """Several Codat clients may share one endpoint: what we are not shown may well exist."""
    codat.bench.handle(
        messages.connected("a-foreign-company", "a-foreign-connection", at=codat.bench.clock())
    )
    codat.settle(for_s=2 * PATIENCE_S)

    assert codat.bench.state("a-foreign-connection") == "authorized"


@pytest.mark.parametrize("old", [True, False], ids=["sample of 2024", "sample of today"])
def test_nothing_is_told_of_a_company_that_codat_does_not_know_and_never_showed_us(codat, old):
    """Codat's "Send example" was told to subscribers after the patience, without a merchant, and the
    timeline said that Codat had not answered in time."""
    company, connection = "a9a9f1b4-0000-4000-8000-000000000001", "a9a9f1b4-0000-4000-8000-000000000002"
    at = codat.bench.clock() - timedelta(days=700 if old else 0)
    codat.bench.handle(
        messages.connected(company, connection, at=at), messages.initial_read(company, connection, at=at)
    )

    codat.settle(for_s=3 * PATIENCE_S)

    assert codat.bench.told_types() == []
    last = codat.bench.timeline(connection)[-1]
    assert (last["event_type"], last["decisions"][0]["verdict"]) == ("codat-api.company.unknown", "not_told")
    assert "does not know this company" in last["reason"]
    assert [one for one, _ in visibility.not_shown(codat.bench.client)] == [company]
    assert codat.bench.questions.next_due() is None


def test_an_alert_about_a_company_that_codat_does_not_know_is_dropped(codat):
    """The signed samples of the older generation became states, and were told."""
    codat.bench.handle(messages.status_alert("company", "connection", "PendingAuth", "Linked"))

    codat.settle(for_s=3 * PATIENCE_S)

    assert (codat.bench.state("connection"), codat.bench.told_types()) == ("pending", [])


def test_a_company_that_codat_shows_only_later_is_told_then(codat):
    """A company is so new that Codat's API does not show it yet: its news waits, and is not lost."""
    connection = codat.connect()
    at = codat.change("authorize", connection)
    codat.break_down(404, path=f"/companies/{connection.company}")
    codat.bench.handle(messages.connected(connection.company, connection.id, at=at))
    codat.settle(for_s=PATIENCE_S / 2)
    assert codat.bench.told_types() == []
    codat.answer_again()

    codat.settle(for_s=PATIENCE_S / 2)

    assert codat.bench.told_types() == ["connection.authorized"]
    assert visibility.not_shown(codat.bench.client) == []


def test_news_of_a_foreign_client_is_told_unchecked(codat):
    """Two Codat clients share one endpoint: our key never sees the companies of the other."""
    visibility.mark_foreign(codat.bench.client, "theirs")
    at = codat.bench.clock() - timedelta(days=3)
    codat.bench.handle(
        messages.connected("theirs", "connection", at=at),
        messages.disconnected("theirs", "connection", at=at),
    )

    assert codat.bench.told_types() == ["connection.authorized", "connection.deauthorized"]
    assert codat.bench.questions.next_due() is None


# An API that lags behind Codat's own messages


@pytest.mark.parametrize("lag_s", [5, 59])
@pytest.mark.parametrize("offset_s", [0, 290, -290])
def test_an_api_that_lags_begins_nothing(codat, lag_s, offset_s):
    """A look 3 s after an end showed the status of 5 s ago: a reauthorisation was told that never was,
    and the number of authorisations stayed wrong."""
    codat.ahead = timedelta(seconds=offset_s)
    connection = linked(codat)
    codat.bench.clock.forward(300)
    at = codat.change("deauthorize", connection)
    codat.simulation.faults.plan({"lag_s": lag_s})
    codat.bench.handle(messages.disconnected(connection.company, connection.id, at=at))

    codat.settle(for_s=2 * PATIENCE_S)

    assert codat.bench.told_types(connection.id) == ["connection.authorized", "connection.deauthorized"]
    assert codat.bench.told(connection.id)[-1]["data"]["authorization"] == 1
    assert codat.bench.state(connection.id) == "deauthorized"


# How questions are dealt with


def write(codat, *asks):
    with codat.bench.client.pipeline(transaction=True) as pipe:
        questions.write(pipe, asks)
        pipe.execute()


def ask(codat, connection, *, aspect=Aspect.CONNECTION, deadline_s=PATIENCE_S):
    now = codat.bench.clock()
    connection_id = connection.id if connection else None
    company = connection.company if connection else "company-1"
    return Ask(aspect, company, connection_id, now, now + timedelta(seconds=deadline_s), "because")


class Scripted:
    """Codat as a list of answers."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def ask_connection(self, *_, **__):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    ask_history = ask_connection


def asking_of(codat, *answers, **how):
    bench = codat.bench
    return QuestionRunner(
        questions=bench.questions,
        inbox=bench.inbox,
        reader=bench.reader,
        waker=bench.waker,
        asker=Scripted(*answers) if answers else None,
        clock=bench.clock,
        **how,
    )


@pytest.mark.parametrize(
    ("error", "rest_s"),
    [(CodatUnavailable(), AGAIN_S), (CodatRateLimited(17), 17), (CodatRateLimited(900), PATIENCE_S)],
    ids=["unavailable", "rate limited", "rate limited beyond the deadline"],
)
def test_an_unanswered_question_rests_and_keeps_its_deadline(codat, error, rest_s):
    connection = codat.connect()
    write(codat, ask(codat, connection))
    (before,) = codat.bench.questions.take(codat.bench.clock(), 1)
    codat.bench.questions.postpone(before, codat.bench.clock())

    asking_of(codat, error).run()

    assert codat.bench.questions.next_due() == codat.bench.clock() + timedelta(seconds=rest_s)
    assert codat.bench.waiting() == []
    (after,) = codat.bench.questions.take(codat.bench.clock() + timedelta(seconds=rest_s), 1)
    assert after == before


def test_a_question_beyond_its_deadline_that_nobody_answers_becomes_the_event_that_says_so(codat):
    connection = linked(codat)
    write(codat, ask(codat, connection))
    codat.bench.clock.forward(PATIENCE_S)

    asking_of(codat, CodatUnavailable()).run()

    assert codat.bench.questions.next_due() is None
    codat.bench.drain_all()
    last = codat.bench.timeline(connection.id)[-1]
    assert (last["event_type"], last["source"]) == ("codat-api.unanswered", "codat-api")


def test_a_codat_that_hangs_does_not_stretch_the_patience_with_news(codat, monkeypatch):
    """Codat accepted the request and said nothing: the news waited for the whole budget of the call."""
    monkeypatch.setattr("workers.codat.questions.MIN_TIME_LIMIT_S", 0.2)
    connection = linked(codat)
    write(codat, ask(codat, connection))
    codat.bench.clock.forward(PATIENCE_S)
    codat.break_down(hang_s=600.0)
    with CodatClient(api_key="key", base_url=codat.url, timeout_s=BUDGET_S, budget_s=BUDGET_S) as patient:
        began = time.monotonic()
        codat.asking_with(patient).run()
        took_s = time.monotonic() - began

    codat.answer_again()
    assert took_s < BUDGET_S / 2
    codat.bench.drain_all()
    assert codat.bench.timeline(connection.id)[-1]["event_type"] == "codat-api.unanswered"


def test_an_unanswered_question_about_a_company_concerns_no_connection_and_is_forgotten(codat):
    write(codat, ask(codat, None, aspect=Aspect.HISTORY, deadline_s=0))

    asking_of(codat, CodatUnavailable()).run()

    assert codat.bench.questions.next_due() is None
    assert codat.bench.waiting() == []


def test_without_a_key_a_question_is_forgotten(codat):
    write(codat, ask(codat, codat.connect()))

    assert asking_of(codat).run() == 1

    assert codat.bench.questions.next_due() is None
    assert codat.bench.waiting() == []


def test_the_answer_comes_and_the_question_goes_in_one_step(codat, redis_url):
    """Seen from outside there is never the answer with its question still open, nor neither of them."""
    connection = linked(codat)
    write(codat, ask(codat, connection))
    with Redis.from_url(redis_url) as watcher, watcher.monitor() as monitor:
        codat.asking.run()
        watcher_done = codat.bench.client.echo("done")
        assert watcher_done == b"done"
        seen = []
        for command in monitor.listen():
            name = command["command"].split(" ")[0].upper()
            if name == "ECHO":
                break
            seen.append(name)

    begin, end = seen.index("MULTI"), seen.index("EXEC")
    assert {"ZREM", "HDEL", "EVALSHA", "XADD"} <= set(seen[begin:end])
    assert "XADD" not in seen[:begin]


def test_the_shard_is_woken_for_the_answer(codat):
    connection = linked(codat)
    codat.bench.client.delete(*[f"rq:queue:{name}" for name in ("drain", "ask")])
    write(codat, ask(codat, connection))

    codat.asking.run()

    assert codat.bench.jobs()["workers.jobs.drain"] == [[keys.shard_of(connection.company, 4)]]


def test_what_is_asked_at_once_is_asked_at_once(codat):
    connection = codat.connect()
    codat.bench.handle(messages.status_alert(connection.company, connection.id, "PendingAuth", "Linked"))

    assert codat.bench.asked == 1


def test_asking_ends_when_it_is_told_to(codat):
    write(codat, ask(codat, codat.connect()))
    before = everything(codat.bench.client)

    assert asking_of(codat, CodatUnavailable(), stop=lambda: True).run() == 0
    assert everything(codat.bench.client) == before


def test_many_questions_are_asked_each_once(codat):
    company = codat.world.create_company("Toft stores").id
    connections = [codat.connect("gbol", company) for _ in range(25)]
    write(codat, *[ask(codat, connection) for connection in connections])

    assert codat.asking.run() == 25

    codat.bench.drain_all()
    assert [len(codat.bench.timeline(connection.id)) for connection in connections] == [1] * 25


def test_a_fault_of_ours_in_one_question_does_not_take_the_others_with_it(codat):
    """What one question raises is logged; the rest of the batch is asked, and it is tried again itself."""
    connection = linked(codat)
    bad = SimpleNamespace(id="connection-0", company="company-0")
    write(codat, ask(codat, bad), ask(codat, connection))
    codat.bench.client.set(keys.connection("connection-0"), "damaged")

    codat.asking.run()
    codat.bench.client.delete(keys.connection("connection-0"))

    codat.bench.drain_all()
    assert codat.bench.timeline(connection.id)[-1]["source"] == "codat-api"
    assert codat.bench.client.zcard(keys.questions()) == 1


def test_the_drain_asks_nobody_without_a_key(bench):
    bench.handle(messages.status_alert("company-1", "connection-1", "PendingAuth", "Linked"))

    assert isinstance(bench.drain(), Drain)
    assert bench.questions.next_due() is None
    assert bench.state("connection-1") == "authorized"


# One request for several questions


def test_questions_about_several_connections_of_a_company_are_one_request(codat):
    company = codat.world.create_company("Toft stores").id
    connections = [codat.connect("gbol" if not number else "shpf", company) for number in range(6)]
    codat.change("authorize", connections[0])
    write(codat, *[ask(codat, connection) for connection in connections])
    before = codat.simulation.faults
    codat.break_down(path=f"/companies/{company}/connections/")  # only asking for each would meet this

    assert codat.asking.run() == 6

    codat.bench.drain_all()
    assert before.as_json()["faults"][0]["count"] == 10_000  # type: ignore[index]
    assert [codat.bench.state(connection.id) for connection in connections] == ["authorized"] + [
        "pending"
    ] * 5


def test_one_of_several_that_is_not_listed_is_asked_for_by_itself(codat):
    company = codat.world.create_company("Toft stores").id
    connections = [codat.connect("shpf", company) for _ in range(3)]
    for connection in connections:
        at = codat.change("authorize", connection)
        codat.bench.handle(messages.connected(company, connection.id, at=at))
    codat.change("delete", connections[1])
    write(codat, *[ask(codat, connection) for connection in connections])

    codat.settle(for_s=70)

    assert [codat.bench.state(one.id) for one in connections] == ["authorized", "deleted", "authorized"]


def test_questions_about_the_history_of_a_company_are_one_answer(codat):
    company = codat.world.create_company("Toft stores").id
    connections = [codat.connect("shpf", company) for _ in range(3)]
    for connection in connections:
        at = codat.change("authorize", connection)
        codat.bench.handle(messages.connected(company, connection.id, at=at))
        codat.change("complete-sync", connection)
    codat.settle(for_s=10)
    write(codat, *[ask(codat, connection, aspect=Aspect.HISTORY) for connection in connections])

    assert codat.asking.run() == 3
    codat.bench.drain_all()

    assert {codat.bench.state(one.id) for one in connections} == {"ready"}
    events = {codat.bench.timeline(one.id)[-1]["event_id"] for one in connections}
    assert len(events) == 1


def test_a_company_of_which_codat_answers_counts_as_shown(codat, redis_url):
    """It was deleted at Codat before any walk had listed it, and stayed ready for ever."""
    with Redis.from_url(redis_url) as client:
        for aspect in (Aspect.CONNECTION, Aspect.HISTORY):
            connection = codat.connect()
            shown_as = keys.shown_as(connection.company)
            assert not client.sismember(keys.shown(), shown_as)
            write(codat, ask(codat, connection, aspect=aspect))
            assert codat.asking.run() == 1
            assert client.sismember(keys.shown(), shown_as)
