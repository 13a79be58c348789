"""What an operator can do about a condition: each action ends it, or tries to at once."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from flask import Response, request, url_for

from processor.conditions import mutes
from processor.container import Container
from processor.delivery.channels.email import EMAIL
from processor.delivery.channels.operators import OPERATORS
from processor.delivery.channels.registry import BUILT_IN
from processor.delivery.redelivery import RedeliveryResult
from processor.errors import Conflict, Invalid, NotFound
from processor.reconciliation import webhook_registration, wiring
from processor.store import retention, unreadable
from processor.store.records import CONNECTION
from processor.web.dependencies import get_container
from processor.web.ops import rendering
from processor.web.ops.rendering import blueprint

MOST_AT_ONCE = 1_000
"""Messages or notifications of one click; the rest follows with the next one."""

MOST_FORGOTTEN = 20_000
"""Messages of one click, which take about a second."""

MOST_REPAIRS = 20
MUTES = {"1 hour": 1, "8 hours": 8, "1 day": 24, "7 days": 168}
"""How long a condition can be muted from the page, in hours."""


LANES = {"mail_refused": EMAIL.name, "operators_unreachable": OPERATORS.name}
"""The lane of conditions without a subject."""

Done = tuple[str, int]
"""The confirmation, and the number that it names."""


@dataclass(frozen=True, slots=True)
class ConditionAction:
    """A button; ``act`` is called with the code and the subject of the condition.

    ``question`` is asked before, where the action cannot be taken back. ``days``: one of these is chosen with
    it. ``needs_codat``: there is a client of Codat's API.
    """

    name: str
    label: str
    act: Callable[[Container, str, str], Done]
    question: str = ""
    days: tuple[int, ...] = ()
    needs_codat: bool = False


def available(container: Container) -> Mapping[str, ConditionAction]:
    """The actions by code that this service can take."""
    has_codat = container.codat is not None
    can_register = has_codat and container.settings.public_url is not None
    return {
        code: action
        for code, action in ACTIONS.items()
        if (not action.needs_codat or has_codat) and (action is not REGISTER or can_register)
    }


@blueprint.post("/conditions")
def condition_action() -> Response:
    """Act on a condition, or mute it."""
    act = ACTS.get(request.form.get("action", ""))
    if act is None:
        raise Invalid("The form has to say what is to be done about the condition.")
    done, count = act(get_container(), request.form.get("code", ""), request.form.get("subject", ""))
    return rendering.back(url_for(".overview"), done, count=count)


def _forget(container: Container, _code: str, _subject: str) -> Done:
    days = request.form.get("days", "")
    if days not in map(str, FORGET.days):
        raise Invalid("The form has to say how old the messages are that are forgotten.")
    before = container.clock() - timedelta(days=int(days))
    count = retention.forget_handled(container.redis, before, most=MOST_FORGOTTEN)
    return ("forgotten-most" if count == MOST_FORGOTTEN else "forgotten"), count


def _wake(container: Container, _code: str, _subject: str) -> Done:
    container.waker.wake_all()
    return "woken", 0


def _try_codat(container: Container, _code: str, _subject: str) -> Done:
    if container.codat is None:
        raise Conflict("Codat cannot be asked: CODAT_API_KEY is unset.")
    container.codat.ping()
    return "codat-answers", 0


def _register(container: Container, _code: str, _subject: str) -> Done:
    public_url = container.settings.public_url
    if container.codat is None or public_url is None:
        raise Conflict("A consumer can be registered where CODAT_API_KEY and PUBLIC_URL are set.")
    url = f"{public_url.rstrip('/')}{webhook_registration.WEBHOOK_PATH}"
    registration = webhook_registration.register(container.codat, url, public_url=public_url)
    wiring.check_consumers(container)
    return ("registered" if registration.is_new else "registered-before"), 0


def _replay(status: str) -> Callable[[Container, str, str], Done]:
    def act(container: Container, _code: str, _subject: str) -> Done:
        service = container.replay_service
        ids = list(islice(service.ids_of(status), MOST_AT_ONCE))
        results = list(service.replay_each(iter(ids), only=status))
        return "replayed-several", sum(result.problem is None for result in results)

    return act


def _send_dead(container: Container, _code: str, _subject: str) -> Done:
    return "sent-again", count_sent(container.redelivery_service.redeliver_dead())


def _send_uncertain(container: Container, _code: str, _subject: str) -> Done:
    page = container.reader.list_notifications(connection_id=None, status="uncertain", limit=200, cursor=None)
    count = 0
    for row in page.items:
        for lane_id in BUILT_IN:
            if row["deliveries"].get(f"{lane_id}:status") == "uncertain":
                container.redelivery_service.redeliver(row["body"]["id"], subscriber_id=lane_id)
                count += 1
    return "sent-again", count


def _try_lane(container: Container, code: str, subject: str) -> Done:
    lane_id = LANES.get(code) or container.subscribers.get(subject).id
    container.lane_admin.enable(lane_id)
    container.waker.wake_dispatcher()
    return "tried", 0


def _enable(container: Container, _code: str, subject: str) -> Done:
    container.subscriber_service.change(subject, enabled=True)
    return "enabled", 0


def _enable_and_send(container: Container, _code: str, subject: str) -> Done:
    container.subscribers.get(subject)
    since = container.lane_admin.states([subject])[subject].since
    container.subscriber_service.change(subject, enabled=True)
    if since is None:
        return "enabled", 0
    missed = container.redelivery_service.redeliver_since(since, subscriber_id=subject, undelivered=True)
    return "sent-again", count_sent(missed)


def count_sent(redeliveries: Iterator[RedeliveryResult]) -> int:
    """Make the first ``MOST_AT_ONCE`` redeliveries; how many were sent."""
    return sum(bool(redelivery.lanes) for redelivery in islice(redeliveries, MOST_AT_ONCE))


def _repair(container: Container, _code: str, _subject: str) -> Done:
    damaged = [record.id for record in unreadable.noted(container.redis) if record.kind == CONNECTION]
    repair = wiring.build_repair(container)
    for connection_id in damaged[:MOST_REPAIRS]:
        try:
            repair.run(connection_id)
        except (Conflict, NotFound):  # readable again, or gone
            unreadable.forget(container.redis, CONNECTION, connection_id)
    return "repaired", len(damaged[:MOST_REPAIRS])


def _mute(container: Container, code: str, subject: str) -> Done:
    hours = MUTES.get(request.form.get("for", ""))
    if hours is None:
        raise Invalid("The form has to say for how long the condition is muted.")
    now = container.clock()
    mutes.mute(container.redis, f"{code} {subject}".strip(), now + timedelta(hours=hours), now)
    return "muted", 0


def _unmute(container: Container, code: str, subject: str) -> Done:
    for key in {code, f"{code} {subject}".strip()}:
        mutes.unmute(container.redis, key)
    return "unmuted", 0


WAKE = ConditionAction("wake", "Wake the workers", _wake)
TRY_CODAT = ConditionAction("try_codat", "Ask Codat now", _try_codat, needs_codat=True)
TRY_NOW = ConditionAction("try_lane", "Try again now", _try_lane)
ENABLE = ConditionAction("enable", "Enable, and send what waits", _enable)
ENABLE_AND_SEND = ConditionAction("enable_and_send", "Enable, and send what it missed", _enable_and_send)
REGISTER = ConditionAction("register_consumer", "Register the consumer", _register, needs_codat=True)
FORGET = ConditionAction(
    "forget_handled",
    "Forget handled messages",
    _forget,
    "They cannot be brought back: not shown, replayed or verified any more. Connections, timelines and"
    " notifications stay, and messages that wait, failed or are in quarantine.",
    days=(14, 7, 3, 1),
)

ACTIONS: Mapping[str, ConditionAction] = {
    "redis_full": FORGET,
    "inbox_stalled": WAKE,
    "deliveries_stalled": WAKE,
    "questions_overdue": WAKE,
    "no_clock": WAKE,
    "record_unreadable": ConditionAction("repair", "Make the connections again", _repair),
    "codat_unreachable": TRY_CODAT,
    "codat_key_refused": TRY_CODAT,
    "codat_account_limited": TRY_CODAT,
    "webhooks_missing": REGISTER,
    "message_retrying": ConditionAction("replay_failed", "Try them all now", _replay("failed")),
    "messages_dead": ConditionAction("replay_dead", "Replay them all", _replay("dead")),
    "messages_quarantined": ConditionAction(
        "replay_quarantined", "Replay what is understood by now", _replay("quarantined")
    ),
    "deliveries_dead": ConditionAction("send_dead", "Send them all again", _send_dead),
    "deliveries_uncertain": ConditionAction(
        "send_uncertain",
        "Send them all again",
        _send_uncertain,
        "Whoever got one already gets a copy of it.",
    ),
    "receiver_failing": TRY_NOW,
    "mail_refused": TRY_NOW,
    "operators_unreachable": TRY_NOW,
    "receiver_paused": ENABLE,
    "receiver_gone": ENABLE_AND_SEND,
    "receiver_disabled": ENABLE_AND_SEND,
}
"""The action by the code of the condition. The others end outside of this service."""

ACTS: Mapping[str, Callable[[Container, str, str], Done]] = {
    **{action.name: action.act for action in ACTIONS.values()},
    "mute": _mute,
    "unmute": _unmute,
}
"""What is done, by the value of a form's ``action``."""
