"""``/ops``: what is wrong, since when, and what to do."""

from collections.abc import Mapping

from flask import Response, url_for

from processor.conditions.model import Severity
from processor.errors import Conflict
from processor.reconciliation import webhook_registration, wiring
from processor.resources import queries
from processor.store import heartbeats
from processor.web.dependencies import conditions, get_container
from processor.web.ops import auth, copy, rendering
from processor.web.ops.rendering import blueprint

TONES = {Severity.CRITICAL: "bad", Severity.ERROR: "bad", Severity.WARNING: "wait", Severity.INFO: "calm"}

LISTS: Mapping[str, tuple[str, dict[str, str]]] = {
    "inbox_stalled": ("events", {"status": "pending"}),
    "messages_dead": ("events", {"status": "dead"}),
    "messages_quarantined": ("events", {"status": "quarantined"}),
    "deliveries_dead": ("notifications", {"status": "dead"}),
    "deliveries_uncertain": ("notifications", {"status": "uncertain"}),
}
"""The list, with its filter, that shows the subjects of a condition."""


ACTIONS: Mapping[str, tuple[str, str]] = {
    "inbox_stalled": ("wake", "Wake the workers"),
    "deliveries_stalled": ("wake", "Wake the workers"),
    "questions_overdue": ("wake", "Wake the workers"),
    "no_clock": ("wake", "Wake the workers"),
    "webhooks_missing": ("register_consumer", "Register the consumer"),
}
"""The view and the label of the button that does something about a condition."""

WITHOUT_CODAT = {code: action for code, action in ACTIONS.items() if action[0] != "register_consumer"}
"""The buttons where no consumer can be registered."""


@blueprint.get("", strict_slashes=False)
def overview() -> Response:
    """The state of the service."""
    rendering.query_of()
    container = get_container()
    current = conditions()
    return rendering.page(
        "overview",
        stats=queries.stats(container.reader, container.redis, current),
        processes=heartbeats.live_processes(container.redis),
        missed_after_s=heartbeats.MISSED_AFTER_MS // 1000,
        wrong=[condition for condition in current if condition.severity is not Severity.INFO],
        notes=[condition for condition in current if condition.severity is Severity.INFO],
        names=rendering.receiver_names(),
        headline=copy.headline(current),
        tones=TONES,
        lists=LISTS,
        actions=ACTIONS if container.codat and container.settings.public_url else WITHOUT_CODAT,
    )


@blueprint.post("/wake")
def wake() -> Response:
    """Have the workers look for work now."""
    auth.check_form()
    get_container().waker.wake_all()
    return rendering.back(url_for(f"{auth.NAME}.overview"), "woken")


@blueprint.post("/register-consumer")
def register_consumer() -> Response:
    """Create our webhook consumer at Codat, if it is not there, and check Codat's list again."""
    auth.check_form()
    container = get_container()
    public_url = container.settings.public_url
    if container.codat is None or public_url is None:
        raise Conflict("A consumer can be registered where CODAT_API_KEY and PUBLIC_URL are set.")
    url = f"{public_url.rstrip('/')}{webhook_registration.WEBHOOK_PATH}"
    registration = webhook_registration.register(container.codat, url, public_url=public_url)
    wiring.check_consumers(container)
    return rendering.back(
        url_for(f"{auth.NAME}.overview"), "registered" if registration.is_new else "registered-before"
    )
