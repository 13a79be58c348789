"""A channel declares itself: with its declaration and its sender it takes part in everything."""

import ast
import json
from pathlib import Path

import pytest

from handlers.milestones import NotificationType
from processor.conditions.registry import BY_CODE
from processor.container import for_worker
from processor.delivery import serializers
from processor.delivery.channels import registry
from processor.delivery.channels.channel import BuiltInChannel, FailureCondition
from processor.delivery.channels.registry import channel_of
from processor.delivery.channels.webhook import WEBHOOK
from processor.delivery.lane import AttemptVerdict, Lease
from processor.delivery.redelivery import RedeliveryService
from processor.delivery.retry_schedule import SLOW_AFTER
from processor.settings.loading import load
from processor.store import keys
from processor.store.waker import Waker
from tests.support import messages
from tests.workers.delivery.post import Post
from workers.delivery import wiring
from workers.delivery.channels.sender import AttemptResult, Sender
from workers.delivery.wiring import dispatcher_of

ROOT = Path(__file__).parents[3]

PAGER = BuiltInChannel(
    name="pager",
    is_enabled=lambda settings: settings.product_name == "with a pager",
    wants=lambda _settings, body, company: (
        company.get("name") == "Toft" and body["type"].endswith(".deleted")
    ),
    failure=FailureCondition(code="receiver_failing", sentence="Nobody is paged by {name}"),
)


class PagerSender(Sender):
    """Remembers what it sent."""

    def __init__(self) -> None:
        self.verdict = AttemptVerdict.DELIVERED
        self.sent: list[str] = []

    async def deliver(self, lease: Lease) -> AttemptResult:
        """Make one attempt."""
        self.sent.append(json.loads(lease.body)["id"])
        return AttemptResult(self.verdict, 1)


@pytest.fixture
def pager(post: Post, monkeypatch: pytest.MonkeyPatch) -> PagerSender:
    """A service with a pager, to which only its declaration and its sender were added."""
    sender = PagerSender()
    monkeypatch.setitem(registry.BUILT_IN, PAGER.name, PAGER)
    monkeypatch.setitem(wiring.SENDERS, PAGER.name, lambda _container: sender)
    post.set(product_name="with a pager")
    for company_id, name in (("company-1", "Toft"), ("company-2", "Other")):
        post.client.hset(keys.company(company_id), "name", name)
    return sender


def test_a_new_channel_delivers_what_it_wants(post: Post, pager: PagerSender) -> None:
    id_ = post.decide("connection-1", NotificationType.DELETED)
    post.decide("connection-2", NotificationType.DELETED, company_id="company-2")
    post.decide("connection-3", NotificationType.AUTHORIZED)
    post.dispatcher(senders={PAGER.name: pager}).run_once()

    assert pager.sent == [id_]
    assert post.status(id_, PAGER.name) == "delivered"
    (delivery,) = serializers.deliveries(post.reader.notification(id_)["deliveries"])
    assert (delivery["channel"], delivery["subscriber_id"]) == ("pager", None)
    assert [state.lane_id for state in post.lane_admin.used_states()] == ["pager"]


def test_a_new_channel_is_off_without_its_setting(post: Post, pager: PagerSender) -> None:
    post.set(product_name=None)
    id_ = post.decide(type_=NotificationType.DELETED)
    post.dispatcher(senders={PAGER.name: pager}).run_once()

    assert (pager.sent, post.status(id_, PAGER.name)) == ([], None)


def test_a_new_channel_is_redelivered_by_its_rule(post: Post, pager: PagerSender) -> None:
    service = RedeliveryService(
        post.client,
        subscribers=post.subscribers,
        lane_admin=post.lane_admin,
        reader=post.reader,
        waker=Waker(post.client),
    )
    began = post.clock()
    wanted = post.decide("connection-1", NotificationType.DELETED)
    other = post.decide("connection-2", NotificationType.AUTHORIZED)
    dispatcher = post.dispatcher(senders={PAGER.name: pager})
    dispatcher.run_once()

    assert [result.notification_id for result in service.redeliver_since(began, subscriber_id="pager")] == [
        wanted
    ], "where it was sent before"
    assert service.redeliver(other, subscriber_id="pager").lanes == ("pager",), "named, in any case"
    dispatcher.run_once()
    assert sorted(pager.sent) == sorted([wanted, wanted, other])


def test_a_new_channel_that_fails_is_the_condition_that_it_declares(post: Post, pager: PagerSender) -> None:
    pager.verdict = AttemptVerdict.AGAIN
    for number in range(SLOW_AFTER):
        post.decide(f"connection-{number}", NotificationType.DELETED)
    post.dispatcher(senders={PAGER.name: pager}).run_once()

    condition = post.says("receiver_failing")
    assert condition is not None
    assert condition.sentence.startswith(f"Nobody is paged by pager: {SLOW_AFTER} attempts in a row")
    assert condition.subject == "pager"


@pytest.mark.usefixtures("pager")
def test_the_dispatcher_of_the_settings_has_the_new_channel(redis_url: str) -> None:
    environ = {"CODAT_WEBHOOK_SECRETS": messages.SECRET, "REDIS_URL": redis_url}
    for product, senders in (("with a pager", {"webhook", "pager"}), ("without", {"webhook"})):
        container = for_worker(load({**environ, "PRODUCT_NAME": product}))
        assert set(dispatcher_of(container)._attempts._senders) == senders
        container.redis.close()


def test_every_channel_has_a_sender() -> None:
    assert set(wiring.SENDERS) == set(registry.channel_names()) == {"webhook", "email", "operators"}


def test_every_channel_fails_with_a_condition_that_is_defined() -> None:
    channels = [channel_of(name) for name in (WEBHOOK.name, *registry.BUILT_IN)]
    assert {channel.failure.code for channel in channels} <= set(BY_CODE)


def test_no_module_spells_the_name_of_a_channel_but_its_own() -> None:
    """Lanes, redelivery, conditions, erasure and pages knew ``email`` and ``operators`` by name."""
    spelt = {
        (str(path.relative_to(ROOT)), node.value)
        for package in ("processor", "workers")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in registry.BUILT_IN
    }
    assert {place for place in spelt if "delivery/channels/" not in place[0]} == {
        ("processor/web/v1/company_schemas.py", "email"),  # the format of a string in JSON Schema
        ("processor/journey/consents.py", "email"),  # who consented
        *(
            (f"processor/{path}.py", "email")
            for path in (
                "journey/people",
                "journey/links",
                "web/v1/people",
                "simulator/lender",
                "simulator/lender_client",
            )
        ),
        ("processor/settings/definitions.py", "email"),  # who reminds
        ("processor/journey/reminders.py", "email"),
        ("processor/settings/kinds.py", "email"),
        ("processor/web/ops/sso.py", "email"),  # a claim of OpenID Connect
        ("processor/cli/__init__.py", "operators"),  # the command about people
    }
    assert len(spelt) > 2
