"""A company with records of every kind, and its eraser."""

import json
from datetime import timedelta

import pytest
from redis import Redis

from handlers.effects import Ask
from handlers.events import Aspect
from processor.delivery.channels.email import EMAIL
from processor.delivery.lane_admin import LaneAdmin
from processor.erasure.erase import CompanyEraser
from processor.store import inbox, keys, questions
from tests.support import messages
from tests.support.workbench import Workbench

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
    """Whether a cell was woken expires by Redis's clock; what is compared must not change by itself."""
    monkeypatch.setattr(inbox, "WAKE_MS", 600_000)


@pytest.fixture
def bench(redis_url):
    with Redis.from_url(redis_url) as client:
        yield Workbench(client)


@pytest.fixture
def erasure(bench):
    return CompanyEraser(bench.client)


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
    cell = keys.cell_of(company)
    ask = Ask(Aspect.CONNECTION, company, connection, at, at + timedelta(hours=1), "because")
    with bench.client.pipeline(transaction=True) as pipe:
        questions.write(pipe, cell, [ask])
        pipe.execute()
    bench.publish()
    for notification in bench.told(connection):
        LaneAdmin(bench.client, clock=bench.clock).requeue(notification["id"], EMAIL.name, cell=cell)
    bench.client.hset(keys.looked(cell), company, 1)
    bench.client.hset(keys.look_reasons(cell), company, "[]")
    bench.client.zadd(keys.repairs(cell), {connection: 1})
    bench.client.sadd(keys.shown(cell), keys.shown_as(company))
    bench.client.set(keys.asked_again(company), 1)
