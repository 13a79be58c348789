"""How a view reaches the collaborators."""

from typing import cast

from flask import Flask, current_app

from processor.bootstrap import Container
from processor.conditions import evaluation
from processor.conditions.model import Condition
from processor.delivery.desk import Desk
from processor.delivery.redelivery import Redelivery
from processor.replays import Replays
from processor.web.refusal_log import RefusalLog
from processor.web.tally import Tally

_NAME = "codat-processor"
_TALLY = "codat-processor-tally"
_REFUSALS = "codat-processor-refusals"


def keep(app: Flask, container: Container) -> None:
    """Give ``app`` its collaborators."""
    app.extensions[_NAME] = container
    app.extensions[_REFUSALS] = RefusalLog()
    app.extensions[_TALLY] = Tally(container.redis, clock=container.clock)


def container() -> Container:
    """The collaborators of the application that handles the present request."""
    return cast(Container, current_app.extensions[_NAME])


def tally() -> Tally:
    """Counts what the present application refuses."""
    return cast(Tally, current_app.extensions[_TALLY])


def refusals() -> RefusalLog:
    """Logs what the present application refuses."""
    return cast(RefusalLog, current_app.extensions[_REFUSALS])


def conditions() -> list[Condition]:
    """Everything that is wrong now, what this process has just seen included."""
    own = container()
    tally().flush()
    return evaluation.current(own.redis, own.settings, now=own.clock())


def replays() -> Replays:
    """Puts kept messages into the inbox again."""
    own = container()
    return Replays(reader=own.reader, inbox=own.inbox, bell=own.bell)


def redelivery() -> Redelivery:
    """Sends notifications again."""
    own = container()
    return Redelivery(own.redis, reader=own.reader, bell=own.bell, clock=own.clock)


def desk() -> Desk:
    """What can be done with subscribers."""
    own = container()
    return Desk(
        own.redis,
        reader=own.reader,
        bell=own.bell,
        allow_private=own.settings.allow_private_subscribers,
        clock=own.clock,
    )
