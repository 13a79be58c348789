"""How a view reaches the collaborators."""

from typing import cast

from flask import Flask, current_app

from processor.bootstrap import Container
from processor.delivery.desk import Desk
from processor.delivery.redelivery import Redelivery
from processor.replays import Replays

_NAME = "codat-processor"


def keep(app: Flask, container: Container) -> None:
    """Give ``app`` its collaborators."""
    app.extensions[_NAME] = container


def container() -> Container:
    """The collaborators of the application that handles the present request."""
    return cast(Container, current_app.extensions[_NAME])


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
