"""The search for traces, and erasing until none is left."""

import json
from datetime import timedelta

from processor.erasure.erase import CompanyEraser
from processor.erasure.residue_scan import erase_and_scan, scan
from processor.reconciliation.poll_schedule import DuePoll, PollQueue
from tests.processor.erasure.conftest import COMPANY, TRACES, live
from tests.support import messages


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


class Landing(CompanyEraser):
    """An erasure during which work lands that had begun before: a message, and the end of a look."""

    def __init__(self, bench, land):
        super().__init__(bench.client)
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
