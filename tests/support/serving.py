"""The application on a given engine, without a server around it."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from processor import bootstrap
from processor.settings import load
from processor.web import create_app
from tests.support import messages

ENVIRON = {
    "CODAT_WEBHOOK_SECRETS": f"{messages.SECRET},{messages.OTHER_SECRET}",
    "CODAT_ALERT_AUTHORIZATIONS": f"Basic c29tZWJvZHk6ZWxzZQ==,{messages.AUTHORIZATION}",
}

ADDRESS = "/webhooks/codat"
PROBLEM = "application/problem+json"


def serving(redis_url: str, *, hurried: bool = False, **environ: str) -> FlaskClient:
    """A caller of the application with these settings.

    It waits for Redis as long as workers do, so that no answer depends on the speed of the
    machine; ``hurried``, as long as the web does.
    """
    build = bootstrap.for_web if hurried else bootstrap.for_worker
    container = build(load({**ENVIRON, "REDIS_URL": redis_url, **environ}))
    return create_app(container).test_client()


def problem(answer: TestResponse) -> dict[str, Any]:
    """The problem in an answer, whose form is checked."""
    assert answer.headers["Content-Type"] == PROBLEM
    body = json.loads(answer.data)
    assert (
        {"type", "title", "status", "detail"}
        <= set(body)
        <= {
            "type",
            "title",
            "status",
            "detail",
            "event_id",
            "errors",
            "correlation_id",
        }
    )
    assert body["status"] == answer.status_code
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
