"""Puts the courier of a process together."""

import os
import secrets
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from processor.bootstrap import Container
from processor.delivery.control import Control
from processor.delivery.lane import EMAIL, OPERATORS, Lane, Mode
from processor.delivery.lanes import Lanes
from processor.delivery.mail import Letters
from processor.delivery.outgoing import Outgoing
from processor.delivery.schedule import PAUSE_AFTER
from processor.delivery.subscribers import Subscribers
from workers.channels.channel import Channel, Result
from workers.channels.chat import Chat
from workers.channels.email import Email, MailServer
from workers.channels.webhook import Webhook
from workers.deliver import WEBHOOK, Courier

LOOKUPS = 64
"""Names that are looked up at a time, in threads; one that hangs keeps no other from being looked up."""


def courier_of(container: Container) -> Courier:
    """The courier on the collaborators in ``container``. Connects to nothing yet."""
    settings, client, clock = container.settings, container.redis, container.clock
    subscribers = Subscribers(client, allow_private=settings.allow_private_subscribers, clock=clock)
    lanes = Lanes(
        client,
        subscribers=subscribers,
        email=settings.smtp_url is not None,
        operators=bool(settings.operator_alert_urls),
        operator_types=settings.operator_alert_types,
        token=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
        clock=clock,
    )
    return Courier(
        lanes,
        Control(client, clock=clock),
        _channels(container),
        on_trouble=lambda lane, mode, result: report(container, lane, mode, result),
        clock=clock,
    )


def _channels(container: Container) -> dict[str, Channel]:
    settings = container.settings
    outgoing = Outgoing(
        allow_private=settings.allow_private_subscribers,
        lookups=ThreadPoolExecutor(LOOKUPS, thread_name_prefix="lookup"),
    )
    found: dict[str, Channel] = {WEBHOOK: Webhook(outgoing, clock=container.clock)}
    if settings.operator_alert_urls:
        found[OPERATORS] = Chat(settings.operator_alert_urls)
    if settings.smtp_url is not None:
        found[EMAIL] = Email(
            container.redis,
            server=MailServer(settings.smtp_url),
            letters=Letters(settings.mail_templates_dir),
            sender=settings.sender or "",
            link=lambda company_id: _link(container, company_id),
            product=settings.product_name,
            clock=container.clock,
        )
    return found


def _link(container: Container, company_id: str) -> str | None:
    """Where a company connects; ``None`` where readers could not reach it, or nobody could connect there."""
    if container.settings.public_url is None or container.codat is None:
        return None
    return container.journey.mailed_url(company_id)


def report(container: Container, lane: Lane, mode: Mode, result: Result) -> None:
    """Tell the operators of a lane that was paused or ended; one that slows down is only logged."""
    if lane.id == OPERATORS or mode not in (Mode.PAUSED, Mode.GONE):
        return
    host = urlsplit(lane.subscriber.url).hostname if lane.subscriber else None
    name = f"the subscriber {lane.id} at {host}" if host else f"the lane {lane.id}"
    last = result.error or "it failed"
    if mode is Mode.GONE:
        subject = "A subscriber is gone"
        text = (
            f"For {name} nothing is sent any more: it answered 410 Gone."
            " What waited is among the dead letters."
        )
    else:
        subject = "Deliveries are paused"
        text = (
            f"For {name} nothing succeeded for {PAUSE_AFTER.days} days; the last attempt: {last}. Nothing is"
            " sent until it is enabled; what is to be told waits in its lane."
        )
    container.operators.tell_operators(subject, text, f"lane-{mode.value}-{lane.id}")
