"""The application on a given engine, without a server around it."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from redis import Redis
from werkzeug.test import TestResponse

from processor.container import Container, for_web, for_worker
from processor.settings.loading import load
from processor.web import create_app
from tests.support import messages
from tests.support.applications import lent_app, take_back_apps

ENVIRON = {
    "CODAT_WEBHOOK_SECRETS": f"{messages.SECRET},{messages.OTHER_SECRET}",
    "CODAT_ALERT_AUTHORIZATIONS": f"Basic c29tZWJvZHk6ZWxzZQ==,{messages.AUTHORIZATION}",
}

ADDRESS = "/webhooks/codat"
PROBLEM = "application/problem+json"

PATIENCE_S = 60

_clients: "list[Redis[Any]]" = []
"""What the applications of the present test ask Redis by."""


def patient(url: str) -> str:
    """The address of an engine; whoever comes by it waits a minute for an answer, web processes too."""
    sign = "&" if "?" in url else "?"
    return f"{url}{sign}socket_timeout={PATIENCE_S}&socket_connect_timeout={PATIENCE_S}"


def kept(container: Container) -> Container:
    """The same; its connections are closed at the end of the test."""
    _clients.append(container.redis)
    return container


def serving(redis_url: str, *, hurried: bool = False, lasting: bool = False, **environ: str) -> FlaskClient:
    """A caller of the application with these settings.

    It waits for Redis as long as workers do, so that no answer depends on the speed of the
    machine; ``hurried``, as long as the web does. Only a ``lasting`` one may be used by more than one test.
    """
    build = for_web if hurried else for_worker
    container = build(load({**ENVIRON, "REDIS_URL": redis_url, **environ}))
    app = create_app(kept(container)) if lasting else lent_app(kept(container))
    return app.test_client()


def give_back() -> None:
    """End the loans of applications and close their connections; a lasting one opens others.

    An application is garbage in circles, and of such the interpreter may find a socket first, unclosed.
    """
    take_back_apps()
    while _clients:
        _clients.pop().close()


def problem(answer: TestResponse) -> dict[str, Any]:
    """The problem in an answer, whose form is checked."""
    assert answer.headers["Content-Type"] == PROBLEM
    body = json.loads(answer.data)
    assert (
        {"type", "code", "title", "status", "detail"}
        <= set(body)
        <= {
            "type",
            "code",
            "title",
            "status",
            "detail",
            "event_id",
            "errors",
            "correlation_id",
        }
    )
    assert body["status"] == answer.status_code
    assert body["type"] == f"/problems/{body['code']}"
    assert body["title"]
    return dict(body)


@contextmanager
def frozen(folder: Path) -> Iterator[int]:
    """The engine in ``folder`` stands still: it takes connections and answers nothing."""
    pid = int((folder / "engine.pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGCONT)
