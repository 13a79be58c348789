"""Batches of cells: read, loaded, and committed whole or not at all."""

import pytest
from redis import Redis

from handlers.company import CompanyChange
from processor.store import keys
from processor.store.cells import AffectedIds, Cells, CommitConflict
from processor.store.decoding import text_fields
from processor.store.records import members
from processor.store.unit_of_work import Batch
from tests.support import cells, messages
from tests.support.counting import everything
from tests.support.workbench import Workbench, company_in

COMPANY = company_in(1)
NOW = messages.LONG_AGO


@pytest.fixture
def bench(client):
    """A workbench, to fill the cell."""
    return Workbench(client)


class OneCell:
    """The cell of the company, or another one."""

    def __init__(self, client, number=1):
        self.number = number
        self.cells = Cells(client)

    def begin(self):
        return self.cells.begin([self.number])

    def read(self, limit):
        return self.cells.read([self.number], limit)[self.number]

    def load(self, *ids):
        return self.cells.load(self.begin(), {self.number: AffectedIds(*ids)})[self.number]

    def commit(self, pipe, batch):
        assert self.cells.commit(pipe, {self.number: batch}, NOW) == {}


@pytest.fixture
def cell(client):
    """The cell of the company."""
    return OneCell(client)


def batch_of(waiting):
    batch = Batch(done=list(waiting))
    batch.count("processed", len(batch.done))
    return batch


def test_messages_are_read_in_the_order_in_which_they_came(bench, cell):
    ids = bench.fill(messages.connected(COMPANY, f"connection-{number}") for number in range(5))

    waiting, gone = cell.read(3)

    assert [message.event_id for message in waiting] == ids[:3]
    assert gone == []
    assert waiting[0].record.attempts == 0
    assert waiting[0].head.source == "current"


def test_an_empty_cell_has_nothing_to_read(cell):
    assert cell.read(10) == ([], [])
    assert cell.load([], [], []) == ({}, {}, {}, set(), set(), {})


def test_of_two_who_read_the_same_only_one_can_commit(client, redis_url, bench, cell):
    bench.fill([messages.connected(COMPANY, "connection-1")])
    rival = OneCell(Redis.from_url(redis_url))
    slow = rival.begin()
    slow_waiting, _ = rival.read(10)
    quick = cell.begin()
    quick_waiting, _ = cell.read(10)
    assert slow_waiting == quick_waiting

    cell.commit(quick, batch_of(quick_waiting))
    before = everything(client)
    batch = batch_of(slow_waiting)
    batch.companies["company-9"] = CompanyChange(name="Nobody", merchant_id="m-9", first_heard_at=NOW)
    with pytest.raises(CommitConflict):
        rival.commit(slow, batch)

    assert everything(client) == before
    assert client.get(keys.cursor(1)) == b"1"
    assert client.xlen(keys.inbox(1)) == 0


def test_the_guard_holds_from_the_first_commit_on(redis_url, cell):
    """There is no cursor yet when both begin."""
    rival = OneCell(Redis.from_url(redis_url))
    first, second = cell.begin(), rival.begin()

    cell.commit(first, Batch())
    with pytest.raises(CommitConflict):
        rival.commit(second, Batch())


def test_commits_of_different_cells_do_not_hinder_each_other(redis_url, cell):
    other = OneCell(Redis.from_url(redis_url), 2)
    first, second = cell.begin(), other.begin()

    cell.commit(first, Batch())
    other.commit(second, Batch())


def test_of_a_commit_whose_script_is_forgotten_nothing_is_written_however_long_it_is(client, bench):
    """What is too long for Lua was sent beside the script: the company was stored, and never listed."""
    count = 3_000
    rows = [{"connectionId": f"connection-{number}", "dataType": "invoices"} for number in range(count)]
    said = {"referenceCompany": messages.reference(COMPANY, merchant_id="m-1"), "dataTypes": rows}
    bench.send(messages.current("read.completed", said))
    before = everything(client)
    drain = bench.drain()
    commit = drain._cells.commit

    def forgetful(*args):
        client.script_flush()
        return commit(*args)

    drain._cells.commit = forgetful
    with pytest.raises(CommitConflict):
        drain.batch(1)
    assert everything(client) == before

    bench.drain_all()
    assert client.zrange(keys.companies(1), 0, -1) == [COMPANY.encode()]
    assert len(members(text_fields(client.hgetall(keys.company(COMPANY))))) == count
    assert sum(map(client.zcard, keys.connections(1))) == count


def test_what_arrives_between_reading_and_committing_stays(bench, cell):
    bench.fill([messages.connected(COMPANY, "connection-1")])
    pipe = cell.begin()
    waiting, _ = cell.read(10)
    (late,) = bench.fill([messages.connected(COMPANY, "connection-1")])

    cell.commit(pipe, batch_of(waiting))

    assert [message.event_id for message in cell.read(10)[0]] == [late]


def test_a_message_that_is_gone_is_told_apart_from_those_that_wait(client, bench, cell):
    gone_id, waiting_id = bench.fill([messages.connected(COMPANY, "connection-1")] * 2)
    cells.forget_message(client, gone_id)

    waiting, gone = cell.read(10)

    assert [message.event_id for message in waiting] == [waiting_id]
    assert len(gone) == 1


def test_the_members_of_whole_companies_are_loaded_with_the_rest(bench, cell):
    bench.handle(messages.connected(COMPANY, "connection-1"), messages.connected(COMPANY, "connection-2"))

    named, companies = ["connection-2", "unknown"], [COMPANY, "company-x"]
    known, companies, members, *_ = cell.load(named, companies, [COMPANY])

    assert set(known) == {"connection-1", "connection-2"}
    assert known["connection-1"].state == "authorized"
    assert set(companies) == {COMPANY}
    assert members == {COMPANY: ["connection-1", "connection-2"]}
