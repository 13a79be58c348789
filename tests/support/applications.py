"""Applications for tests. Building one takes longer than most tests, so tests lend them to each other."""

from flask import Flask

from processor.container import Container
from processor.web import create_app
from processor.web.app import normalise_requests
from processor.web.dependencies import attach_container

_idle: list[Flask] = []
_lent: list[Flask] = []


def lent_app(container: Container) -> Flask:
    """An application on ``container`` that nothing else uses until the end of the present test."""
    if _idle:
        app = _idle.pop()
        attach_container(app, container)
        normalise_requests(app, container.settings)
    else:
        app = create_app(container)
    _lent.append(app)
    return app


def take_back_apps() -> None:
    """End the loans of the present test."""
    while _lent:
        _idle.append(_lent.pop())
