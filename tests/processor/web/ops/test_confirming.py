"""Before an action that concerns several, or loses something, the page asks; then it says what was done."""

import re
from datetime import timedelta

import pytest
from redis import Redis

from processor.clock import to_ms
from processor.store import keys
from processor.web.ops import confirmations, copy
from tests.processor.web.ops.operating import Operator, add_subscriber, forms, told_of
from tests.processor.web.v1.filling import START, Filling
from tests.support import cells


def asked(text: str, question: str) -> str:
    """What the page asks and says when this button is pressed, with the form: folded away until then."""
    matches = re.findall(
        r'<details class="ask">\s*<summary class="button [^"]*">(.*?)</summary>(.*?)</details>',
        text,
        re.DOTALL,
    )
    return str(next(item for summary, item in matches if summary == question))


# Asking first


def test_disabling_asks_first_and_says_what_is_lost(
    operator: Operator, filling: Filling, store: Redis
) -> None:
    """One tap on a phone, and nothing new waited for the loan engine any more."""
    lane = add_subscriber(filling, description="Loan <engine>")
    store.zadd(keys.lane(3, lane), {f"ntf_{number}": to_ms(START) for number in range(3)})
    for path in ("/ops/subscribers", f"/ops/subscribers/{lane}"):
        answer = operator.open(path)
        text = asked(answer.text, "Disable Loan &lt;engine&gt;")
        assert "Nothing new waits for it while it is disabled." in text
        assert f"redeliver --since TIME --undelivered --subscriber {lane}" in text
        assert "3 deliveries that wait now stay, and go out when it is enabled." in text
        (form,) = [item for item in forms(answer) if 'value="disable"' in item]
        assert form in text, "nothing on the page disables it but what is folded away"
        assert "Yes, disable Loan &lt;engine&gt;" in form


def test_enabling_asks_nothing(operator: Operator, filling: Filling, store: Redis) -> None:
    store.hset(keys.lane_state(add_subscriber(filling)), "mode", "disabled")
    answer = operator.open("/ops/subscribers")
    (form,) = [item for item in forms(answer) if 'value="enable"' in item]
    assert "Enable 127.0.0.1:9" in form
    folded = re.findall(r"<details.*?</details>", answer.text, re.DOTALL)
    assert not any(form in item for item in folded)


def test_sending_again_to_everybody_says_to_whom_and_asks(
    operator: Operator, filling: Filling, store: Redis
) -> None:
    filling.make_ready()
    first, second = (add_subscriber(filling, description=name) for name in ("Loan engine", "CRM"))
    off = add_subscriber(filling, description="Old CRM")
    store.hset(keys.lane_state(off), "mode", "disabled")
    id_ = told_of(filling)
    store.hset(cells.deliveries(store, id_), mapping={f"{first}:status": "delivered", "n:delivered": 1})
    path = f"/ops/notifications/{id_}"
    text = asked(operator.open(path).text, "Send again to everybody who wants it")
    assert "<strong>2 receivers</strong>" in text
    assert "Loan engine" in text
    assert "CRM" in text
    assert "Old CRM" not in text
    assert "One has it already" in text
    assert "Send it to 2 receivers" in text
    done = operator.follow(operator.send(path))
    assert done.startswith("It is being sent again to 2 receivers, under the same id.")
    for lane in (first, second):
        assert cells.score(store, keys.lane, id_, lane) is not None


def test_where_nobody_would_get_it_there_is_nothing_to_press(operator: Operator, filling: Filling) -> None:
    filling.make_ready()
    answer = operator.open(f"/ops/notifications/{told_of(filling)}")
    assert "There is nobody to send it to" in answer.text
    assert forms(answer) == []


def test_replaying_several_says_how_many_and_asks(operator: Operator, filling: Filling) -> None:
    for number in range(3):
        filling.let_die(f"broken-{number}")
    answer = operator.open("/ops/events", status="dead", limit="2")
    text = asked(answer.text, "Replay these 2")
    assert "<strong>2 messages</strong>, as listed here, go into the inbox again." in text
    assert "In all 3 are dead." in text
    form, discarding = forms(answer)
    assert form in text
    assert discarding in asked(answer.text, "Discard these 2")
    assert form.count('name="event_id"') == 2
    single = asked(operator.open("/ops/events", status="dead", limit="1").text, "Replay this one")
    assert "<strong>1 message</strong>, as listed here, goes into the inbox again." in single


# Saying what was done


def test_what_was_done_is_said_with_its_time_and_not_for_ever(operator: Operator, filling: Filling) -> None:
    """Minutes later, loaded again, the page still promised that it would be handled in a moment."""
    filling.let_die()
    answer = operator.send("/ops/events/broken")
    assert operator.follow(answer).startswith(
        f"It waits in the inbox again, and is handled in a moment. At {copy.date(filling.now)}"
    )
    filling.now += timedelta(seconds=confirmations.DONE_SHOWN_S + 1)
    assert "It waits in the inbox again" not in operator.follow(answer)


def test_loading_again_by_itself_does_not_repeat_what_was_done(operator: Operator) -> None:
    now = str(int(START.timestamp()))
    text = operator.open(
        "/ops/events", status="dead", done="replayed", count="1", done_at=now, refresh="30"
    ).text
    assert "It waits in the inbox again" in text
    assert 'content="30; url=?status=dead&amp;refresh=30"' in text


@pytest.mark.parametrize("at", ["", "x", "-1", "0", "1e9", "9" * 11, "9" * 400, "\u0663"])
def test_an_odd_time_says_nothing(operator: Operator, at: str) -> None:
    assert operator.read("/ops/events", done="replayed", done_at=at).startswith("Events")
    assert operator.read("/ops/events", done="replayed").startswith("Events")


# Names of regions


@pytest.mark.parametrize("kind", ["event", "notification"])
def test_no_two_regions_of_a_page_have_one_name(operator: Operator, filling: Filling, kind: str) -> None:
    filling.make_ready()
    filling.let_die()
    path = "/ops/events/broken" if kind == "event" else f"/ops/notifications/{told_of(filling)}"
    text = operator.open(path).text
    sections = re.findall(r'<section[^>]* aria-labelledby="([^"]*)"', text)
    regions = re.findall(r'role="region"[^>]* aria-labelledby="([^"]*)"', text)
    names = sections + regions
    assert "body" in names or "sent" in names
    assert sorted(set(names)) == sorted(names)
    assert re.search(r'<pre tabindex="0" role="\w+" aria-labelledby=', text)
