"""Applications for tests. Building one takes longer than most tests, so tests lend them to each other."""

from collections import defaultdict

from flask import Flask

from processor.container import Container
from processor.web import create_app
from processor.web.dependencies import attach_container

_Kind = tuple[int, str | None]

_idle: defaultdict[_Kind, list[Flask]] = defaultdict(list)
_lent: list[tuple[_Kind, Flask]] = []


def lent_app(container: Container) -> Flask:
    """An application on ``container`` that nothing else uses until the end of the present test.

    All that an application knows of its container when it is built is in ``kind``.
    """
    kind = (container.settings.trusted_proxies, container.settings.public_url)
    if _idle[kind]:
        app = _idle[kind].pop()
        attach_container(app, container)
    else:
        app = create_app(container)
    _lent.append((kind, app))
    return app


def take_back_apps() -> None:
    """End the loans of the present test."""
    while _lent:
        kind, app = _lent.pop()
        _idle[kind].append(app)
