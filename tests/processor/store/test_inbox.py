"""The inbox on the real engine: kept once, in one round trip, and somebody is woken for it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from redis import Redis, RedisError

from processor.clock import to_iso, to_ms
from processor.store import keys
from processor.store.inbox import DAY_S, UNRECOGNISED, Inbox, ReceivedMessage
from processor.store.message_records import INDEXED_STATUSES
from tests.processor.store.conftest import BODY, COMPANY, CONNECTION
from tests.support import cells, messages
from tests.support.counting import everything


def waiting(client):
    """The event ids that wait, by cell."""
    entries = {
        cell: [entry for name in keys.inboxes(cell) for entry in client.xrange(name)] for cell in keys.cells()
    }
    return {cell: [fields[b"id"].decode() for _, fields in rows] for cell, rows in entries.items() if rows}


def now_ms(client):
    """The time by the engine's clock."""
    seconds, microseconds = client.time()
    return seconds * 1000 + microseconds // 1000


def test_an_accepted_message_is_kept_whole_and_waits_in_the_cell_of_its_company(client, inbox):
    event = messages.understood(BODY, "msg_1")

    kept = inbox.accept(event, BODY)

    cell = keys.cell_of(COMPANY)
    assert (kept.event_id, kept.duplicate, kept.sleeping_cell) == ("msg_1", False, cell)
    assert waiting(client) == {cell: ["msg_1"]}
    row = cells.message(client, "msg_1")
    assert row == {
        "event_id": "msg_1",
        "body": BODY,
        "received_at": to_iso(event.received_at),
        "processed_at": None,
        "next_attempt_at": None,
        "attempts": 0,
        "duplicates": 0,
        "error": "",
        "status": "pending",
        "source": "current",
        "type": "connection.connected",
        "company_id": COMPANY,
        "connection_ids": [CONNECTION],
        "cell": cell,
    }
    assert client.zrange(keys.events(cell), 0, -1, withscores=True) == [
        (b"msg_1", float(to_ms(event.received_at)))
    ]


def test_a_company_may_have_the_name_of_the_key_that_stands_for_none(client, inbox):
    body = messages.connected("nothing", CONNECTION)

    inbox.accept(messages.understood(body, "msg_1"), body)

    assert client.zrange(keys.company_events("nothing"), 0, -1) == [b"msg_1"]


def test_the_second_time_it_is_a_duplicate_that_is_counted_and_nothing_else(client, inbox):
    inbox.accept(messages.understood(BODY, "msg_1"), BODY)
    before = cells.message(client, "msg_1")
    other = messages.other(company_id=COMPANY)
    later = messages.understood(other, "msg_1", received_at=messages.LONG_AGO + timedelta(1))

    kept = inbox.accept(later, other)

    assert (kept.duplicate, kept.sleeping_cell) == (True, None)
    assert cells.message(client, "msg_1") == before | {"duplicates": 1}
    assert inbox.depth() == 1


def test_a_thousand_times_at_once_it_is_kept_once_and_one_is_told_to_wake(client, redis_url):
    together = threading.Barrier(10)

    def send(_):
        own = Inbox(Redis.from_url(redis_url))
        event = messages.understood(BODY, "msg_1")
        together.wait()
        return [own.accept(event, BODY) for _ in range(100)]

    with ThreadPoolExecutor(10) as pool:
        kept = [one for many in pool.map(send, range(10)) for one in many]

    assert sum(not one.duplicate for one in kept) == 1
    assert [one.sleeping_cell for one in kept if one.sleeping_cell is not None] == [keys.cell_of(COMPANY)]
    assert waiting(client) == {keys.cell_of(COMPANY): ["msg_1"]}
    assert cells.message(client, "msg_1")["duplicates"] == 999


def test_scripts_that_the_engine_forgot_are_sent_again_for_a_whole_batch(client, inbox):
    received = [
        ReceivedMessage(f"msg_{number}", BODY, messages.LONG_AGO, messages.understood(BODY, f"msg_{number}"))
        for number in range(3)
    ]
    received.insert(1, ReceivedMessage("msg_odd", b"?", messages.LONG_AGO, None, "why"))
    client.script_flush()

    results = inbox.accept_many(received)

    assert [(result.event_id, result.duplicate) for result in results] == [
        ("msg_0", False),
        ("msg_odd", False),
        ("msg_1", False),
        ("msg_2", False),
    ]
    assert cells.message(client, "msg_odd")["status"] == "quarantined"
    assert inbox.depth() == 3


def test_what_no_inbox_takes_is_no_duplicate_when_it_is_sent_again(client, inbox):
    """The inbox was a key of another type: Codat got 503, its repetition 200, and no drain ever saw it."""
    other = messages.other("client.somethingNew")
    quarantined = messages.understood(other, "msg_odd")
    inbox.quarantine("msg_odd", other, messages.LONG_AGO, "why")
    dead = inbox.accept(messages.understood(BODY, "msg_dead"), BODY).event_id
    cells.change_message(client, dead, status="dead")
    client.delete(*(name for cell in keys.cells() for name in keys.inboxes(cell)))
    before = cells.message(client, "msg_odd")
    damaged = [name for cell in {UNRECOGNISED, keys.cell_of(COMPANY)} for name in keys.inboxes(cell)]
    client.mset(dict.fromkeys(damaged, "garbage"))
    for event, body in ((messages.understood(BODY, "msg_1"), BODY), (quarantined, other)):
        with pytest.raises(RedisError, match="WRONGTYPE"):
            inbox.accept(event, body)
    with pytest.raises(RedisError, match="WRONGTYPE"):
        inbox.requeue(dead, status="dead", cell=keys.cell_of(COMPANY))
    assert cells.message(client, "msg_odd") == before
    assert cells.message(client, dead)["status"] == "dead"
    client.delete(*damaged)

    assert not inbox.accept(messages.understood(BODY, "msg_1"), BODY).duplicate
    assert not inbox.accept(quarantined, other).duplicate
    assert waiting(client) == {UNRECOGNISED: ["msg_odd"], keys.cell_of(COMPANY): ["msg_1"]}


def test_what_no_quarantine_lists_is_no_duplicate_when_it_is_sent_again(client, inbox):
    index = keys.events_of(UNRECOGNISED, "quarantined")
    client.set(index, "garbage")
    with pytest.raises(RedisError, match="WRONGTYPE"):
        inbox.quarantine("msg_1", b"?", messages.LONG_AGO, "why")
    client.delete(index)
    assert not inbox.quarantine("msg_1", b"?", messages.LONG_AGO, "why").duplicate
    assert client.zcard(index) == 1


def test_an_index_that_cannot_be_written_loses_no_message(client, inbox):
    """Redis does not undo a script that fails in the middle."""
    client.set(keys.company_events(COMPANY), "not what belongs there")

    with pytest.raises(RedisError):
        inbox.accept(messages.understood(BODY, "msg_1"), BODY)

    assert inbox.accept(messages.understood(BODY, "msg_1"), BODY).duplicate
    assert waiting(client) == {keys.cell_of(COMPANY): ["msg_1"]}


def test_while_the_message_itself_is_kept_as_long_nothing_else_remembers_its_id(client, inbox):
    inbox.accept(messages.understood(BODY, "msg_1"), BODY)

    assert not client.exists(keys.seen(keys.cell_of(COMPANY), "msg_1"))


@pytest.mark.parametrize(("status", "duplicate"), [("dead", True), ("quarantined", False)])
def test_what_was_discarded_is_accepted_again_only_if_it_was_not_recognised(client, inbox, status, duplicate):
    if status == "dead":
        handled(client, inbox, "dead")
    else:
        inbox.quarantine("msg_1", BODY, messages.LONG_AGO, "why")
    cell = keys.cell_of(COMPANY) if status == "dead" else UNRECOGNISED
    assert inbox.discard("msg_1", status=status, cell=cell)

    assert inbox.accept(messages.understood(BODY, "msg_1"), BODY).duplicate is duplicate

    assert cells.count(client, keys.events_of, "discarded") == int(duplicate)


def test_an_engine_that_forgot_the_script_learns_it_again(client, inbox):
    inbox.accept(messages.understood(BODY, "msg_1"), BODY)
    client.script_flush()

    assert not inbox.accept(messages.understood(BODY, "msg_2"), BODY).duplicate
    assert inbox.depth() == 2


def test_news_without_a_company_goes_to_the_first_cell(client, inbox):
    body = messages.other("client.somethingNew")
    inbox.accept(messages.understood(body, "msg_1"), body)

    assert waiting(client) == {0: ["msg_1"]}
    assert cells.message(client, "msg_1")["company_id"] == ""


def test_any_bytes_are_kept_as_they_are(client, inbox):
    body = bytes(range(256))
    inbox.accept(messages.understood(BODY, "msg_1"), body)

    assert cells.message(client, "msg_1")["body"] == body


def test_what_cannot_be_kept_leaves_no_trace(client, inbox):
    inbox.accept(messages.understood(BODY, "msg_0"), BODY)
    client.config_set("maxmemory", "1")
    try:
        before = everything(client)
        with pytest.raises(RedisError):
            inbox.accept(messages.understood(BODY, "msg_1"), BODY)
        with pytest.raises(RedisError):
            inbox.quarantine("msg_2", b"?", messages.LONG_AGO, "why")
        assert everything(client) == before
    finally:
        client.config_set("maxmemory", "0")

    assert not inbox.accept(messages.understood(BODY, "msg_1"), BODY).duplicate


def test_a_repetition_after_the_message_itself_expired_leaves_nothing_behind(client, redis_url):
    inbox = Inbox(Redis.from_url(redis_url), retention_days=1, dedupe_days=21)
    inbox.accept(messages.understood(BODY, "msg_1"), BODY)
    cells.forget_message(client, "msg_1")

    assert inbox.accept(messages.understood(BODY, "msg_1"), BODY).duplicate
    assert not client.exists(keys.messages(keys.cell_of(COMPANY)), keys.repeats(keys.cell_of(COMPANY)))


def test_the_id_of_a_message_is_remembered_as_long_as_configured(client, redis_url):
    inbox = Inbox(Redis.from_url(redis_url), retention_days=2, dedupe_days=5)
    began_ms = now_ms(client)
    inbox.accept(messages.understood(BODY, "msg_1"), BODY)
    ended_ms = now_ms(client)

    expires_ms = client.pexpiretime(keys.seen(keys.cell_of(COMPANY), "msg_1"))
    assert began_ms <= expires_ms - 5 * DAY_S * 1000 <= ended_ms


def test_an_event_can_be_put_by_somebodys_transaction(client, inbox):
    event = messages.understood(BODY, "msg_1")
    with client.pipeline(transaction=True) as pipe:
        pipe.set(keys.counters(0) + "-of-this-test", "1")
        inbox.add(pipe, event, BODY)
        assert waiting(client) == {}
        pipe.execute()

    assert waiting(client) == {keys.cell_of(COMPANY): ["msg_1"]}


# Quarantine


def test_a_message_that_nobody_understands_is_kept_outside_of_the_inbox(client, inbox):
    inbox.quarantine("msg_1", b"\xff?", messages.LONG_AGO, "the body is not UTF-8")

    row = cells.message(client, "msg_1")
    assert (row["body"], row["status"], row["error"]) == (b"\xff?", "quarantined", "the body is not UTF-8")
    assert cells.members(client, keys.events_of, "quarantined") == [b"msg_1"]
    assert cells.members(client, keys.events) == [b"msg_1"]
    assert (waiting(client), inbox.depth()) == ({}, 0)


def test_it_is_quarantined_once_however_often_it_comes(client, inbox):
    for _ in range(3):
        inbox.quarantine("msg_1", b"?", messages.LONG_AGO, "why")

    assert cells.message(client, "msg_1")["duplicates"] == 2
    assert cells.count(client, keys.events_of, "quarantined") == 1


def test_it_is_released_when_it_is_understood_at_last(client, inbox):
    inbox.quarantine("msg_1", BODY, messages.LONG_AGO, "why")

    released = inbox.release(messages.understood(BODY, "msg_1"), BODY)
    assert (released.duplicate, released.sleeping_cell) == (False, keys.cell_of(COMPANY))

    cell = keys.cell_of(COMPANY)
    assert waiting(client) == {cell: ["msg_1"]}
    assert cells.count(client, keys.events_of, "quarantined") == 0
    assert cells.pending(client) == [b"msg_1"]
    row = cells.message(client, "msg_1")
    assert (row["status"], row["type"], row["company_id"]) == ("pending", "connection.connected", COMPANY)
    assert client.zrange(keys.company_events(COMPANY), 0, -1, withscores=True) == [
        (b"msg_1", float(to_ms(messages.LONG_AGO)))
    ]
    assert inbox.accept(messages.understood(BODY, "msg_1"), BODY).duplicate
    assert inbox.release(messages.understood(BODY, "msg_1"), BODY).duplicate


def test_a_quarantined_message_that_is_sent_again_and_understood_by_now_leaves_the_quarantine(client, inbox):
    """Codat tries again for 28 hours after a 422; a release of ours in between may have learnt to read it."""
    inbox.quarantine("msg_1", BODY, messages.LONG_AGO, "why")

    assert not inbox.accept(messages.understood(BODY, "msg_1"), BODY).duplicate

    assert cells.message(client, "msg_1")["status"] == "pending"
    assert cells.pending(client) == [b"msg_1"]
    assert cells.members(client, keys.events_of, "quarantined") == []
    assert not cells.message(client, "msg_1")["error"]


# Again


def handled(client, inbox, status="processed"):
    """A message with that status which waits no more."""
    inbox.accept(messages.understood(BODY, "msg_1"), BODY)
    cell = keys.cell_of(COMPANY)
    client.delete(*keys.inboxes(cell), keys.wake(cell))
    cells.change_message(client, "msg_1", status=status)
    if status in INDEXED_STATUSES:
        client.zadd(keys.events_of(cell, status), {"msg_1": to_ms(messages.LONG_AGO)})
    return cell


def test_a_message_is_put_into_the_inbox_again(client, inbox):
    cell = handled(client, inbox, "failed")
    client.zadd(keys.retries(keys.cell_of(COMPANY)), {"msg_1": 1})

    assert inbox.requeue("msg_1", status="failed", cell=cell) == (True, True)

    assert waiting(client) == {cell: ["msg_1"]}
    assert cells.message(client, "msg_1")["status"] == "pending"
    assert cells.count(client, keys.events_of, "failed") == 0
    assert cells.count(client, keys.retries) == 0
    assert inbox.requeue("msg_1", status="pending", cell=cell) == (True, False)


def test_a_message_whose_status_changed_meanwhile_stays_where_it_is(client, inbox):
    cell = handled(client, inbox, "processed")
    client.zadd(keys.retries(keys.cell_of(COMPANY)), {"msg_1": 1})

    assert inbox.requeue("msg_1", status="failed", cell=cell, only_if=True) == (False, False)

    assert (waiting(client), cells.count(client, keys.retries)) == ({}, 0)
    assert cells.message(client, "msg_1")["status"] == "processed"


def test_a_message_that_is_gone_cannot_be_put_again(client, inbox):
    client.zadd(keys.retries(keys.cell_of(COMPANY)), {"msg_1": 1})

    assert inbox.requeue("msg_1", status="failed", cell=keys.cell_of(COMPANY)) == (False, False)
    assert everything(client) == {}


def test_a_due_retry_is_put_once_by_however_many_clocks(client, redis_url, inbox):
    cell = handled(client, inbox, "failed")
    together = threading.Barrier(8)

    def retry(_):
        own = Inbox(Redis.from_url(redis_url))
        together.wait()
        return own.requeue("msg_1", status="failed", cell=cell, only_if=True)[0]

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(retry, range(8))) == 1
    assert waiting(client) == {cell: ["msg_1"]}


def test_the_depth_counts_all_cells(client, inbox):
    for number in range(20):
        body = messages.connected(f"company-{number}", CONNECTION)
        inbox.accept(messages.understood(body), body)

    assert (inbox.depth(), len(waiting(client))) == (
        20,
        len({keys.cell_of(f"company-{number}") for number in range(20)}),
    )
