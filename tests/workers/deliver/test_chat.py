"""Operators: told of what needs them, through apprise."""

import json

import pytest

from handlers.notices import Notice
from processor import bootstrap, views
from processor.delivery.lane import OPERATORS, Mode, Verdict
from processor.delivery.schedule import LONGEST_PROBE_PAUSE, SLOW_AFTER
from processor.operators import Operators
from processor.queues import Bell
from processor.settings import load
from tests.support import messages
from tests.workers.deliver.receiving import hang_up, status
from workers.channels import chat
from workers.channels.chat import Chat
from workers.couriers import courier_of

ENVIRON = {"CODAT_WEBHOOK_SECRETS": messages.SECRET, "ALLOW_PRIVATE_SUBSCRIBERS": "true"}

OTHERS_WARNINGS = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""Apprise loads modules of the standard library that are about to go."""


@pytest.fixture
def operators(post):
    """Who tells the operators; they can be reached."""
    post.operators = True
    return Operators(post.client, control=post.control, bell=Bell(post.client), reachable=True)


def sent_to(told):
    def send(_url, title, text):
        told.append((title, text))
        return Verdict.DELIVERED

    return send


def alert(operators, post, subject, text):
    with post.client.pipeline(transaction=True) as pipe:
        operators.add_alert(pipe, subject, text)
        pipe.execute()
    operators.alerted([subject])


def test_operators_get_every_alert(post, operators):
    told = []
    courier = post.courier(channels={OPERATORS: Chat(post.client, ["json://somewhere"], send=sent_to(told))})

    alert(operators, post, "Disk full", "Nothing can be kept.")
    alert(operators, post, "No clock", "It stands still.")
    courier.run_once()

    assert sorted(told) == [("Disk full", "Nothing can be kept."), ("No clock", "It stands still.")]


def test_where_nobody_can_be_reached_it_is_logged(post, caplog):
    silent = Operators(post.client, control=post.control, bell=Bell(post.client), reachable=False)

    alert(silent, post, "Disk full", "Nothing can be kept.")

    (said,) = [record for record in caplog.records if record.name == "processor.operators"]
    assert said.subject == "Disk full"
    assert post.waiting(OPERATORS) == {}


def test_an_alert_that_cannot_be_sent_is_sent_again(post, operators):
    answers = iter([Verdict.AGAIN, Verdict.DELIVERED])
    courier = post.courier(channels={OPERATORS: Chat(post.client, ["x"], send=lambda *_: next(answers))})
    alert(operators, post, "Disk full", "Nothing can be kept.")

    courier.run_once()
    (wait,) = post.waiting(OPERATORS).values()
    assert wait == 5.0
    post.forward(5)
    courier.run_once()
    assert post.waiting(OPERATORS) == {}


@pytest.mark.usefixtures("operators")
def test_notifications_that_concern_operators_go_there_in_words(post):
    told = []
    courier = post.courier(channels={OPERATORS: Chat(post.client, ["x"], send=sent_to(told))})
    post.decide()
    post.decide(
        type_=Notice.DEAUTHORIZED,
        data_types={"complete": [], "failed": {"bills": "FetchError"}},
        error={"status_code": "401", "status_text": "Revoked", "message": None},
    )
    courier.run_once()

    ((title, text),) = told
    assert title == "Codat: connection.deauthorized"
    for words in ("Xero", "connection-1", "merchant-1", "bills (FetchError)", "Codat says: Revoked"):
        assert words in text


@OTHERS_WARNINGS
def test_apprise_posts_to_where_it_is_told(post, operators, receiver, monkeypatch):
    pytest.importorskip("apprise")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    heard = receiver(status(200))
    courier = post.courier(
        channels={OPERATORS: Chat(post.client, [f"json://127.0.0.1:{heard.port}/alerts?cto=60&rto=60"])}
    )
    alert(operators, post, "Disk full", "Nothing can be kept.")

    courier.run_once()

    (got,) = heard.received
    assert json.loads(got.raw)["title"] == "Disk full"
    assert json.loads(got.raw)["message"] == "Nothing can be kept."


@OTHERS_WARNINGS
def test_that_operators_are_not_reached_is_a_condition_until_they_are(post, operators, receiver, monkeypatch):
    """The chat's webhook was revoked: alerts waited, and the overview said that all is well."""
    pytest.importorskip("apprise")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    chat_server = receiver(status(500))
    url = f"json://127.0.0.1:{chat_server.port}/a-token?cto=60&rto=60"
    courier = post.courier(channels={OPERATORS: Chat(post.client, [url])})
    for number in range(SLOW_AFTER):
        alert(operators, post, f"Alert {number}", "Something is wrong.")
    assert post.says("operators_unreachable") is None
    courier.run_once()
    unreached = post.says("operators_unreachable")
    assert unreached is not None
    assert f"{SLOW_AFTER} attempts in a row" in unreached.sentence
    assert "OPERATOR_ALERT_URLS" in unreached.advice
    assert "a-token" not in unreached.sentence

    chat_server.always = status(200)
    post.forward(LONGEST_PROBE_PAUSE.total_seconds())
    courier.run_once()
    assert post.says("operators_unreachable") is None


@OTHERS_WARNINGS
@pytest.mark.parametrize("url", ["json://127.0.0.1:9/alerts", "nonsense"])
def test_what_apprise_cannot_do_is_a_failure_without_the_address(url):
    pytest.importorskip("apprise")
    assert chat.send_by_apprise(url, "title", "text") is Verdict.AGAIN


def attempts_of(post, id_):
    (delivery,) = views.notification(post.reader.notification(id_))["deliveries"]
    return delivery["attempts"]


@OTHERS_WARNINGS
@pytest.mark.usefixtures("operators")
def test_a_retry_goes_only_to_the_addresses_that_failed(post, receiver, monkeypatch):
    """Of two chat addresses one answered 500: the other one got a copy with each attempt."""
    pytest.importorskip("apprise")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    good, bad = receiver(status(200)), receiver(status(500))
    urls = [f"json://127.0.0.1:{bad.port}/?cto=60&rto=60", f"json://127.0.0.1:{good.port}/?cto=60&rto=60"]
    courier = post.courier(channels={OPERATORS: Chat(post.client, urls)})
    id_ = post.decide(type_=Notice.DEAUTHORIZED)
    for pause_s in (5, 300, 1800):
        courier.run_once()
        post.forward(pause_s)
    assert (len(good.received), len(bad.received)) == (1, 3)
    assert attempts_of(post, id_)[-1]["error"] == "1 of 2 addresses could not be told (number 1)"
    assert post.mode(OPERATORS) is Mode.ACTIVE

    bad.always = status(200)
    courier.run_once()
    assert (len(good.received), len(bad.received)) == (1, 4)
    assert post.status(id_, OPERATORS) == "delivered"

    assert post.control.requeue(id_, OPERATORS)
    courier.run_once()
    assert (len(good.received), len(bad.received)) == (2, 5)


@OTHERS_WARNINGS
@pytest.mark.usefixtures("operators")
@pytest.mark.parametrize("way", ["hangs up", "never answers"])
def test_a_chat_that_takes_a_message_and_does_not_answer_gets_no_copies(post, receiver, monkeypatch, way):
    """A chat whose answer was lost counted as not told, and got the same alert eight times."""
    pytest.importorskip("apprise")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    silent, good = receiver(hang_up), receiver(status(200))
    if way == "never answers":
        silent.gate.clear()
    urls = [f"json://127.0.0.1:{silent.port}/?cto=60&rto=1", f"json://127.0.0.1:{good.port}/?cto=60&rto=60"]
    courier = post.courier(channels={OPERATORS: Chat(post.client, urls)})
    id_ = post.decide(type_=Notice.DEAUTHORIZED)
    courier.run_once()
    post.forward(3600)
    courier.run_once()

    assert (len(silent.received), len(good.received)) == (1, 1)
    assert post.status(id_, OPERATORS) == "uncertain"
    (attempt,) = attempts_of(post, id_)
    assert (attempt["outcome"], attempt["error"]) == ("uncertain", "1 of 2 may have been told (number 1)")

    assert post.control.requeue(id_, OPERATORS)
    courier.run_once()
    assert (len(silent.received), len(good.received)) == (2, 1)


def test_a_courier_of_the_settings_has_every_road(redis_url):
    environ = {"REDIS_URL": redis_url, "OPERATOR_ALERT_URLS": "json://x"}
    environ |= {"SMTP_URL": "smtp://127.0.0.1", "MAIL_FROM": "us@bank.example"}
    container = bootstrap.for_worker(load(ENVIRON | environ))
    courier = courier_of(container)

    assert set(courier._channels) == {"webhook", "email", "operators"}
    assert courier.run_once() == 0
    container.redis.close()
