"""Access of views to the container and the services of the current application."""

from typing import Any, cast

from flask import Flask, current_app

from processor.conditions import evaluation
from processor.conditions.model import Condition
from processor.container import Container
from processor.web.message_receiver import MessageReceiver
from processor.web.receipt_counter import ReceiptCounter
from processor.web.refusal_log import RefusalLog

_LAST_READ = "codat-processor-last-read"
_NAME = "codat-processor"
_RECEIPT_COUNTER = "codat-processor-receipt-counter"
_REFUSAL_LOG = "codat-processor-refusal-log"
_MESSAGE_RECEIVER = "codat-processor-message-receiver"


def attach_container(app: Flask, container: Container) -> None:
    """Attach the container to ``app``."""
    app.extensions[_NAME] = container
    app.extensions[_LAST_READ] = {}
    log = app.extensions[_REFUSAL_LOG] = RefusalLog()
    counter = app.extensions[_RECEIPT_COUNTER] = ReceiptCounter(
        container.redis, clock=container.clock, metrics=container.metrics
    )
    app.extensions[_MESSAGE_RECEIVER] = MessageReceiver(container, counter, log)


def get_container() -> Container:
    """The container of the current application."""
    return cast(Container, current_app.extensions[_NAME])


def receipt_counter() -> ReceiptCounter:
    """Counts the messages that the current application accepts and refuses."""
    return cast(ReceiptCounter, current_app.extensions[_RECEIPT_COUNTER])


def refusal_log() -> RefusalLog:
    """Logs the requests that the current application refuses."""
    return cast(RefusalLog, current_app.extensions[_REFUSAL_LOG])


def message_receiver() -> MessageReceiver:
    """Receives the messages of the current application."""
    return cast(MessageReceiver, current_app.extensions[_MESSAGE_RECEIVER])


def conditions() -> list[Condition]:
    """The conditions that hold now, including what this process has just counted."""
    container = get_container()
    receipt_counter().flush()
    return evaluation.current(container.redis, container.settings, now=container.clock())


def get_last_read() -> dict[Any, dict[str, Any]]:
    """What pages of this process read last from the store, by what was read: shown while Redis is away."""
    return cast(dict[Any, dict[str, Any]], current_app.extensions[_LAST_READ])
