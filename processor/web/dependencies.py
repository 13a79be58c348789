"""How a view reaches the collaborators."""

from typing import cast

from flask import Flask, current_app

from processor.conditions import evaluation
from processor.conditions.model import Condition
from processor.container import Container
from processor.web.receipt_counter import ReceiptCounter
from processor.web.refusal_log import RefusalLog

_NAME = "codat-processor"
_TALLY = "codat-processor-tally"
_REFUSALS = "codat-processor-refusals"


def attach_container(app: Flask, container: Container) -> None:
    """Give ``app`` its collaborators."""
    app.extensions[_NAME] = container
    app.extensions[_REFUSALS] = RefusalLog()
    app.extensions[_TALLY] = ReceiptCounter(container.redis, clock=container.clock)


def get_container() -> Container:
    """The collaborators of the application that handles the present request."""
    return cast(Container, current_app.extensions[_NAME])


def tally() -> ReceiptCounter:
    """Counts what the present application refuses."""
    return cast(ReceiptCounter, current_app.extensions[_TALLY])


def refusals() -> RefusalLog:
    """Logs what the present application refuses."""
    return cast(RefusalLog, current_app.extensions[_REFUSALS])


def conditions() -> list[Condition]:
    """Everything that is wrong now, what this process has just seen included."""
    own = get_container()
    tally().flush()
    return evaluation.current(own.redis, own.settings, now=own.clock())
