"""Applications for tests. Building one takes longer than most tests, so tests lend them to each other."""

from pathlib import Path

from flask import Flask
from jinja2 import Environment, FileSystemBytecodeCache
from jinja2.bccache import Bucket

from processor.container import Container
from processor.web import create_app
from processor.web.app import normalise_requests
from processor.web.dependencies import attach_container

COMPILED = Path(__file__).parents[2] / ".pytest_cache" / "templates"
"""Templates that were compiled by any test process; each of them needs nearly all."""

PROBE = """{{ text }}
{% if text %}
{% trans %}Hello{% endtrans %}
{% endif %}
"""
"""What it becomes shows the rules by which an environment compiles, such as what it escapes."""

_idle: list[Flask] = []
_lent: list[Flask] = []


class CompiledPages(FileSystemBytecodeCache):
    """Templates by their texts, and by the rules by which they were compiled."""

    def get_bucket(self, environment: Environment, name: str, filename: str | None, source: str) -> Bucket:
        """The place of a compiled template."""
        rules = environment.compile(PROBE, name, raw=True)
        return super().get_bucket(environment, name, filename, f"{rules}{source}")


def lent_app(container: Container) -> Flask:
    """An application on ``container`` that nothing else uses until the end of the present test."""
    if _idle:
        app = _idle.pop()
        attach_container(app, container)
        normalise_requests(app, container.settings)
    else:
        app = create_app(container)
        COMPILED.mkdir(parents=True, exist_ok=True)
        app.jinja_env.bytecode_cache = CompiledPages(str(COMPILED))
    _lent.append(app)
    return app


def take_back_apps() -> None:
    """End the loans of the present test."""
    while _lent:
        _idle.append(_lent.pop())
