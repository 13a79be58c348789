"""Puts the courier of a process together."""

import os
import secrets
import socket
from concurrent.futures import ThreadPoolExecutor

from processor.container import Container
from processor.delivery.email_templates import EmailTemplates
from processor.delivery.http_sender import HttpSender
from processor.delivery.lane import EMAIL, OPERATORS
from processor.delivery.lane_admin import LaneAdmin
from processor.delivery.lanes import Lanes
from processor.delivery.mail_server import MailServer
from processor.delivery.subscribers import Subscribers
from workers.delivery.channels.channel import Channel
from workers.delivery.channels.chat import Chat
from workers.delivery.channels.email import Email
from workers.delivery.channels.webhook import Webhook
from workers.delivery.dispatcher import WEBHOOK, Dispatcher

LOOKUPS = 64
"""Names that are looked up at a time, in threads; one that hangs keeps no other from being looked up."""


def dispatcher_of(container: Container) -> Dispatcher:
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
    return Dispatcher(
        lanes,
        LaneAdmin(client, clock=clock),
        _channels(container),
        clock=clock,
    )


def _channels(container: Container) -> dict[str, Channel]:
    settings = container.settings
    outgoing = HttpSender(
        allow_private=settings.allow_private_subscribers,
        lookups=ThreadPoolExecutor(LOOKUPS, thread_name_prefix="lookup"),
    )
    found: dict[str, Channel] = {WEBHOOK: Webhook(outgoing, clock=container.clock)}
    if settings.operator_alert_urls:
        found[OPERATORS] = Chat(container.redis, settings.operator_alert_urls)
    if settings.smtp_url is not None:
        found[EMAIL] = Email(
            container.redis,
            server=MailServer(settings.smtp_url, verify=settings.smtp_tls_verify),
            letters=EmailTemplates(settings.mail_templates_dir),
            sender=settings.sender or "",
            link=lambda company_id: _link(container, company_id),
            product=settings.product_name,
            support=settings.support_email,
            link_days=settings.link_days,
            clock=container.clock,
        )
    return found


def _link(container: Container, company_id: str) -> str | None:
    """Where a company connects; ``None`` where readers could not reach it, or nobody could connect there."""
    if container.settings.public_url is None or container.codat is None:
        return None
    return container.journey.mailed_url(company_id)
