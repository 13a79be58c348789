"""The portal of a receiver: one subscriber's deliveries, and four things to do about them."""

import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from redis import Redis

from processor.access.audit import ActorKind
from processor.delivery.lane import lane_of_tests
from processor.store import keys
from processor.web import receiver_portal
from tests.processor.web.ops.operating import add_subscriber, told_of
from tests.processor.web.v1.filling import Filling
from tests.support import cells

SEAL = re.compile(r'name="seal" value="([0-9a-f]{64})"')


@pytest.fixture
def lane(filling: Filling) -> str:
    """A subscriber for whom a notification waits."""
    lane = add_subscriber(filling, "http://127.0.0.1:9/hook")
    filling.make_ready()
    filling.container.redelivery_service.redeliver(told_of(filling), subscriber_id=lane)
    return lane


def path_of(filling: Filling, lane: str, days: int = 7) -> str:
    return f"/receivers/{filling.container.portal_tokens.make(lane, lifetime_s=days * 86_400)}"


def send(client: FlaskClient, path: str, **fields: str) -> int:
    seal = SEAL.search(client.get(path).text)
    assert seal is not None
    return client.post(path, data={"seal": seal[1], **fields}).status_code


def test_it_shows_one_subscribers_deliveries_and_nothing_of_merchants(filling: Filling, lane: str) -> None:
    client = filling.app.test_client()
    answer = client.get(path_of(filling, lane))
    assert answer.status_code == 200
    assert told_of(filling) in answer.text
    assert "http://127.0.0.1:9/hook" in answer.text
    assert not {"c1", "xero", "Xero"} & set(re.findall(r"[\w-]+", answer.text))
    assert answer.headers["Cache-Control"] == "no-store"
    other = add_subscriber(filling, "http://127.0.0.1:9/other")
    assert told_of(filling) not in client.get(path_of(filling, other)).text


def test_it_pages_on_until_it_has_its_own_deliveries(
    filling: Filling, lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where many later deliveries were of other subscribers, the page was empty."""
    told = told_of(filling)
    other = add_subscriber(filling, "http://127.0.0.1:9/other")
    for company in ("c2", "c3"):
        filling.now += timedelta(minutes=1)
        filling.make_ready(f"of-{company}", company=company)
        filling.container.redelivery_service.redeliver(told_of(filling), subscriber_id=other)
    assert told_of(filling) != told
    monkeypatch.setattr(receiver_portal, "PAGE", 1)
    answer = filling.app.test_client().get(path_of(filling, lane))
    assert told in answer.text
    monkeypatch.setattr(receiver_portal, "MOST_READ", 1)
    assert told not in filling.app.test_client().get(path_of(filling, lane)).text


def test_its_owner_tests_rotates_and_sends_again(filling: Filling, lane: str, store: Redis) -> None:
    client, path = filling.app.test_client(), path_of(filling, lane)
    assert send(client, path, action="test") == 303
    assert cells.count(store, keys.lane, lane_of_tests(lane)) == 1
    before = filling.container.subscribers.get(lane).secret
    assert send(client, path, action="rotate") == 200
    assert filling.container.subscribers.get(lane).secret != before
    cell = next(cell for cell in keys.cells() if store.zscore(keys.lane(cell, lane), told_of(filling)))
    store.zrem(keys.lane(cell, lane), told_of(filling))
    assert send(client, path, action="send_again", notification_id=told_of(filling)) == 303
    assert cells.score(store, keys.lane, told_of(filling), lane) is not None
    done = filling.container.audit.entries(limit=10, kind=ActorKind.RECEIVER.value).items
    assert [entry["action"] for entry in done] == ["portal send_again", "portal rotate", "portal test"]


def test_it_does_nothing_else(filling: Filling, lane: str) -> None:
    client, path = filling.app.test_client(), path_of(filling, lane)
    for action in ("remove", "disable", "enable", ""):
        assert send(client, path, action=action) == 422
    other = add_subscriber(filling, "http://127.0.0.1:9/other")
    foreign = path_of(filling, other)
    assert send(client, foreign, action="send_again", notification_id=told_of(filling)) == 404
    assert client.post(path, data={"action": "rotate"}).status_code == 403


def test_a_link_expires_cannot_be_forged_and_ends_with_its_subscriber(filling: Filling, lane: str) -> None:
    client, path = filling.app.test_client(), path_of(filling, lane, days=1)
    middle = "A" if path[-9] != "A" else "B"  # not the last one, of which some bits say nothing
    assert client.get(f"{path[:-9]}{middle}{path[-8:]}").status_code == 404
    journey = filling.container.journey.links.connect_url("c1").rpartition("/")[2]
    assert client.get(f"/receivers/{journey}").status_code == 404
    assert client.get(path).status_code == 200
    filling.container.subscriber_service.remove(lane)
    assert client.get(path).status_code == 404
    lasting = path_of(filling, add_subscriber(filling, "http://127.0.0.1:9/other"), days=1)
    filling.now += timedelta(days=2)
    assert client.get(lasting).status_code == 404
