"""Operators: told of what needs them, through apprise."""

import json
from typing import Any

import pytest

from handlers.milestones import NotificationType
from processor.container import for_worker
from processor.delivery.lane import AttemptVerdict, Mode
from processor.delivery.operator_alerts import OperatorAlerts
from processor.delivery.retry_schedule import LONGEST_PROBE_PAUSE, SLOW_AFTER
from processor.settings.loading import load
from processor.store.waker import Waker
from tests.support import messages
from tests.workers.delivery.post import OPERATORS, Post
from tests.workers.delivery.receiving import MakeReceiver, hang_up, status
from workers.delivery.channels import chat
from workers.delivery.channels.chat import ChatSender
from workers.delivery.wiring import dispatcher_of

ENVIRON = {"CODAT_WEBHOOK_SECRETS": messages.SECRET, "ALLOW_PRIVATE_SUBSCRIBERS": "true"}


OTHERS_WARNINGS = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""Apprise loads modules of the standard library that are about to go."""


@pytest.fixture
def operators(post: Post) -> Any:
    """Alerts of operators that can be reached."""
    post.set(
        operator_alert_urls=("json://somewhere",), operator_alert_types=(NotificationType.DEAUTHORIZED.value,)
    )
    return OperatorAlerts(
        lane_admin=post.lane_admin, waker=Waker(post.client), reachable=True, subscribers=post.subscribers
    )


def sent_to(told: list[tuple[str, str]]) -> Any:
    def send(_url: str, title: str, text: str) -> Any:
        told.append((title, text))
        return AttemptVerdict.DELIVERED

    return send


def alert(operators: OperatorAlerts, post: Post, subject: str, text: str) -> None:
    with post.client.pipeline(transaction=True) as pipe:
        operators.add_alert(pipe, subject, text)
        pipe.execute()
    operators.announce([subject])


def test_operators_get_every_alert(post: Post, operators: OperatorAlerts) -> None:
    told = []
    dispatcher = post.dispatcher(
        senders={OPERATORS: ChatSender(post.client, ["json://somewhere"], send=sent_to(told))}
    )

    alert(operators, post, "Disk full", "Nothing can be kept.")
    alert(operators, post, "No clock", "It stands still.")
    dispatcher.run_once()

    assert sorted(told) == [("Disk full", "Nothing can be kept."), ("No clock", "It stands still.")]


def test_where_nobody_can_be_reached_it_is_logged(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    silent = OperatorAlerts(
        lane_admin=post.lane_admin, waker=Waker(post.client), reachable=False, subscribers=post.subscribers
    )

    alert(silent, post, "Disk full", "Nothing can be kept.")

    (logged,) = [record for record in caplog.records if record.name == "processor.delivery.operator_alerts"]
    assert vars(logged)["subject"] == "Disk full"
    assert post.waiting(OPERATORS) == {}


def test_an_alert_that_cannot_be_sent_is_sent_again(post: Post, operators: OperatorAlerts) -> None:
    answers = iter([AttemptVerdict.AGAIN, AttemptVerdict.DELIVERED])
    dispatcher = post.dispatcher(
        senders={OPERATORS: ChatSender(post.client, ["x"], send=lambda *_: next(answers))}
    )
    alert(operators, post, "Disk full", "Nothing can be kept.")

    dispatcher.run_once()
    (wait,) = post.waiting(OPERATORS).values()
    assert wait == 5.0
    post.forward(5)
    dispatcher.run_once()
    assert post.waiting(OPERATORS) == {}


@pytest.mark.usefixtures("operators")
def test_notifications_that_concern_operators_go_there_in_words(post: Post) -> None:
    told = []
    dispatcher = post.dispatcher(senders={OPERATORS: ChatSender(post.client, ["x"], send=sent_to(told))})
    post.decide()
    post.decide(
        type_=NotificationType.DEAUTHORIZED,
        data_types={"complete": [], "failed": {"bills": "FetchError"}},
        error={"status_code": "401", "status_text": "Revoked", "message": None},
    )
    dispatcher.run_once()

    ((title, text),) = told
    assert title == "Codat: connection.deauthorized"
    for words in ("Xero", "connection-1", "merchant-1", "bills (FetchError)", "Codat says: Revoked"):
        assert words in text


@OTHERS_WARNINGS
def test_apprise_posts_to_where_it_is_told(
    post: Post, operators: OperatorAlerts, receiver: MakeReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("apprise")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    heard = receiver(status(200))
    dispatcher = post.dispatcher(
        senders={OPERATORS: ChatSender(post.client, [f"json://127.0.0.1:{heard.port}/alerts?cto=60&rto=60"])}
    )
    alert(operators, post, "Disk full", "Nothing can be kept.")

    dispatcher.run_once()

    (got,) = heard.received
    assert json.loads(got.raw)["title"] == "Disk full"
    assert json.loads(got.raw)["message"] == "Nothing can be kept."


@OTHERS_WARNINGS
def test_that_operators_are_not_reached_is_a_condition_until_they_are(
    post: Post, operators: OperatorAlerts, receiver: MakeReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chat's webhook was revoked: alerts waited, and the overview said that all is well."""
    pytest.importorskip("apprise")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    chat_server = receiver(status(500))
    url = f"json://127.0.0.1:{chat_server.port}/a-token?cto=60&rto=60"
    dispatcher = post.dispatcher(senders={OPERATORS: ChatSender(post.client, [url])})
    for number in range(SLOW_AFTER):
        alert(operators, post, f"Alert {number}", "Something is wrong.")
    assert post.says("operators_unreachable") is None
    dispatcher.run_once()
    unreached = post.says("operators_unreachable")
    assert unreached is not None
    assert f"{SLOW_AFTER} attempts in a row" in unreached.sentence
    assert "OPERATOR_ALERT_URLS" in unreached.advice
    assert "a-token" not in unreached.sentence

    chat_server.always = status(200)
    post.forward(LONGEST_PROBE_PAUSE.total_seconds())
    dispatcher.run_once()
    assert post.says("operators_unreachable") is None


@OTHERS_WARNINGS
@pytest.mark.parametrize("url", ["json://127.0.0.1:9/alerts", "nonsense"])
def test_what_apprise_cannot_do_is_a_failure_without_the_address(url: str) -> None:
    pytest.importorskip("apprise")
    assert chat.send_by_apprise(url, "title", "text") is AttemptVerdict.AGAIN


@OTHERS_WARNINGS
@pytest.mark.usefixtures("operators")
def test_a_retry_goes_only_to_the_addresses_that_failed(
    post: Post, receiver: MakeReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two chat addresses one answered 500: the other one got a copy with each attempt."""
    pytest.importorskip("apprise")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    good, bad = receiver(status(200)), receiver(status(500))
    urls = [f"json://127.0.0.1:{bad.port}/?cto=60&rto=60", f"json://127.0.0.1:{good.port}/?cto=60&rto=60"]
    dispatcher = post.dispatcher(senders={OPERATORS: ChatSender(post.client, urls)})
    id_ = post.decide(type_=NotificationType.DEAUTHORIZED)
    for pause_s in (5, 300, 1800):
        dispatcher.run_once()
        post.forward(pause_s)
    assert (len(good.received), len(bad.received)) == (1, 3)
    assert post.attempts(id_)[-1]["error"] == "1 of 2 addresses could not be told (number 1)"
    assert post.mode(OPERATORS) is Mode.ACTIVE

    bad.always = status(200)
    dispatcher.run_once()
    assert (len(good.received), len(bad.received)) == (1, 4)
    assert post.status(id_, OPERATORS) == "delivered"

    assert post.lane_admin.requeue(id_, OPERATORS, cell=post.cell)
    dispatcher.run_once()
    assert (len(good.received), len(bad.received)) == (2, 5)


@OTHERS_WARNINGS
@pytest.mark.usefixtures("operators")
@pytest.mark.parametrize("way", ["hangs up", "never answers"])
def test_a_chat_that_takes_a_message_and_does_not_answer_gets_no_copies(
    post: Post, receiver: MakeReceiver, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """A chat whose answer was lost counted as not told, and got the same alert eight times."""
    pytest.importorskip("apprise")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    silent, good = receiver(hang_up), receiver(status(200))
    if way == "never answers":
        silent.gate.clear()
    urls = [f"json://127.0.0.1:{silent.port}/?cto=60&rto=1", f"json://127.0.0.1:{good.port}/?cto=60&rto=60"]
    dispatcher = post.dispatcher(senders={OPERATORS: ChatSender(post.client, urls)})
    id_ = post.decide(type_=NotificationType.DEAUTHORIZED)
    dispatcher.run_once()
    post.forward(3600)
    dispatcher.run_once()

    assert (len(silent.received), len(good.received)) == (1, 1)
    assert post.status(id_, OPERATORS) == "uncertain"
    (attempt,) = post.attempts(id_)
    assert (attempt["outcome"], attempt["error"]) == ("uncertain", "1 of 2 may have been told (number 1)")

    assert post.lane_admin.requeue(id_, OPERATORS, cell=post.cell)
    dispatcher.run_once()
    assert (len(silent.received), len(good.received)) == (2, 1)


def test_a_dispatcher_of_the_settings_has_every_channel(redis_url: str) -> None:
    environ = {"REDIS_URL": redis_url, "OPERATOR_ALERT_URLS": "json://x"}
    environ |= {"SMTP_URL": "smtp://127.0.0.1", "MAIL_FROM": "us@bank.example"}
    container = for_worker(load(ENVIRON | environ))
    dispatcher = dispatcher_of(container)

    assert set(dispatcher._attempts._senders) == {"webhook", "email", "operators"}
    assert dispatcher.run_once() == 0
    container.redis.close()
