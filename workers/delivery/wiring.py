"""Builds the dispatcher of a process."""

import os
import secrets
import socket
from collections.abc import Callable

from processor.container import Container
from processor.delivery.channels.email import EMAIL
from processor.delivery.channels.operators import OPERATORS
from processor.delivery.channels.registry import enabled_channels
from processor.delivery.channels.webhook import WEBHOOK
from processor.delivery.fan_out import FanOut
from processor.delivery.lanes import Lanes
from processor.delivery.subscriber_cache import SubscriberCache
from workers.delivery.attempt import AttemptRunner
from workers.delivery.channels.chat import chat_sender
from workers.delivery.channels.email import email_sender
from workers.delivery.channels.sender import Sender
from workers.delivery.channels.webhook import webhook_sender
from workers.delivery.dispatcher import Dispatcher

SENDERS: dict[str, Callable[[Container], Sender]] = {
    WEBHOOK.name: webhook_sender,
    EMAIL.name: email_sender,
    OPERATORS.name: chat_sender,
}
"""What builds the sender of each channel, by the channel's name."""


def dispatcher_of(container: Container) -> Dispatcher:
    """The dispatcher with the collaborators of ``container``. Connects to nothing yet."""
    client, settings, clock = container.redis, container.settings, container.clock
    subscribers = SubscriberCache(client, container.subscribers)
    names = [WEBHOOK.name, *(channel.name for channel in enabled_channels(settings))]
    lanes = Lanes(
        client,
        subscribers=subscribers,
        settings=settings,
        token=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
        clock=clock,
    )
    return Dispatcher(
        lanes,
        FanOut(client, subscribers=subscribers, settings=settings, clock=clock),
        AttemptRunner(
            lanes, {name: SENDERS[name](container) for name in names}, clock=clock, metrics=container.metrics
        ),
        container.lane_admin,
        clock=clock,
    )
