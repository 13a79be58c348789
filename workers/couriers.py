"""Puts the courier of a process together."""

import os
import secrets
import socket
from concurrent.futures import ThreadPoolExecutor

from processor.bootstrap import Container
from processor.delivery.control import Control
from processor.delivery.lane import EMAIL, OPERATORS
from processor.delivery.lanes import Lanes
from processor.delivery.mail import Letters
from processor.delivery.mail_server import MailServer
from processor.delivery.outgoing import Outgoing
from processor.delivery.subscribers import Subscribers
from workers.channels.channel import Channel
from workers.channels.chat import Chat
from workers.channels.email import Email
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
        found[OPERATORS] = Chat(container.redis, settings.operator_alert_urls)
    if settings.smtp_url is not None:
        found[EMAIL] = Email(
            container.redis,
            server=MailServer(settings.smtp_url, verify=settings.smtp_tls_verify),
            letters=Letters(settings.mail_templates_dir),
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
