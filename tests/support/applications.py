"""Applications for tests. Building one takes longer than most tests, so tests lend them to each other."""

from pathlib import Path

from flask import Flask
from jinja2 import FileSystemBytecodeCache

from processor.container import Container
from processor.web import create_app
from processor.web.app import normalise_requests
from processor.web.dependencies import attach_container

COMPILED = Path(__file__).parents[2] / ".pytest_cache" / "templates"
"""Templates that were compiled by any test process; each of them needs nearly all."""

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
        COMPILED.mkdir(parents=True, exist_ok=True)
        app.jinja_env.bytecode_cache = FileSystemBytecodeCache(str(COMPILED))
    _lent.append(app)
    return app


def take_back_apps() -> None:
    """End the loans of the present test."""
    while _lent:
        _idle.append(_lent.pop())
