"""Many commands in one call: all of them run, and what was refused is told."""

import pytest
from redis import ResponseError, WatchError

from processor.store.bulk import MOST_MEMBERS, Bulk, add_members, remove_members


def test_each_command_is_answered_as_redis_answers_it(client):
    client.set("text", "a b\n\xff\u2028")
    client.hset("row", mapping={"name": "value"})

    answers = Bulk(client).ask(
        [("GET", "text"), ("GET", "nothing"), ("HGETALL", "row"), ("ZRANGE", "none", 0, -1), ("INCRBY", "n", 7)]
    )

    assert answers == ["a b\n\xff\u2028".encode(), None, [b"name", b"value"], [], 7]


def test_nothing_to_ask_is_nothing_to_answer(client):
    assert Bulk(client).ask([]) == []


def test_what_is_refused_does_not_stop_what_comes_after_it_and_is_told(client):
    client.set("text", "no number")

    with pytest.raises(ResponseError, match="not an integer"):
        Bulk(client).ask([("SET", "before", 1), ("INCR", "text"), ("SET", "after", 1)])

    assert client.mget("before", "after") == [b"1", b"1"]


def test_a_transaction_is_executed_with_all_that_is_staged(client):
    bulk = Bulk(client)
    with client.pipeline(transaction=True) as pipe:
        pipe.watch("guard")
        pipe.multi()
        pipe.hset("row", mapping={"a": 1, "b": b"\x00\xff"})
        pipe.xadd("log", {"entry": "one"})
        pipe.set("short", "x", px=60_000)
        bulk.execute(pipe)

    assert client.hgetall("row") == {b"a": b"1", b"b": b"\x00\xff"}
    assert client.xlen("log") == 1
    assert 0 < client.pttl("short") <= 60_000


def test_a_transaction_writes_nothing_when_what_it_watches_has_changed(client):
    bulk = Bulk(client)
    with client.pipeline(transaction=True) as pipe:
        pipe.watch("guard")
        client.set("guard", "somebody else")
        pipe.multi()
        pipe.set("ours", 1)
        with pytest.raises(WatchError):
            bulk.execute(pipe)

    assert client.get("ours") is None


def test_it_works_again_after_the_scripts_were_forgotten(client):
    bulk = Bulk(client)
    bulk.ask([("GET", "x")])
    client.script_flush()
    assert bulk.ask([("GET", "x")]) == [None]
    client.script_flush()
    with client.pipeline(transaction=True) as pipe:
        pipe.multi()
        pipe.set("x", 1)
        bulk.execute(pipe)
    assert client.get("x") == b"1"


@pytest.mark.parametrize("count", [0, 1, MOST_MEMBERS, 20 * MOST_MEMBERS + 1])
def test_any_number_of_members_is_added_and_removed(client, count):
    bulk = Bulk(client)
    members = {f"member-{number}": float(number) for number in range(count)}
    with client.pipeline(transaction=True) as pipe:
        pipe.multi()
        pipe.set("always", 1)
        add_members(pipe, "index", members)
        bulk.execute(pipe)
    assert client.zcard("index") == count

    with client.pipeline(transaction=True) as pipe:
        pipe.multi()
        pipe.set("always", 1)
        remove_members(pipe, "index", list(members))
        bulk.execute(pipe)
    assert client.zcard("index") == 0
