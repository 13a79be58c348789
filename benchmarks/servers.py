"""The web servers that are compared: ours, an empty Flask answer, and Flask with one RQ job per event.

``python -m benchmarks.servers KIND`` runs one of the last two on the same web server as ours.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
from flask import Flask, request
from redis import Redis
from rq import Queue
from standardwebhooks import Webhook

from processor.runtime import logs
from processor.runtime.parent_watch import watch_parent
from processor.runtime.web_server import serve
from processor.settings.loading import load_from_environment
from processor.web.app import THREADS
from processor.web.rsgi import RsgiGateway
from tests.support import messages
from tests.support.ports import own_port
from tests.support.service import ROOT, until
from tests.support.serving import ADDRESS, ENVIRON

OURS, EMPTY, RQ = "ours", "empty", "rq"
KINDS = (OURS, EMPTY, RQ)
_MAX_BODY_BYTES = 1_000_000


def create_empty() -> RsgiGateway:
    """An application that answers 202 and does nothing."""
    app = Flask(__name__)

    @app.post(ADDRESS)
    def answer() -> tuple[str, int]:
        return "", 202

    return _gateway(app)


def create_rq() -> RsgiGateway:
    """What a user writes in an hour: verify the signature, enqueue a job with the body, answer 202."""
    app = Flask(__name__)
    queue = Queue("bench", connection=Redis.from_url(os.environ["REDIS_URL"]))
    webhook = Webhook(messages.SECRET)

    @app.post(ADDRESS)
    def answer() -> tuple[str, int]:
        webhook.verify(request.get_data(), dict(request.headers))
        queue.enqueue("benchmarks.jobs.do_nothing", request.get_data(as_text=True))
        return "", 202

    return _gateway(app)


def _gateway(app: Flask) -> RsgiGateway:
    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    return RsgiGateway(app, threads=THREADS, max_body_bytes=_MAX_BODY_BYTES)


@contextlib.contextmanager
def running(kind: str, redis_url: str, folder: Path) -> Iterator[tuple[int, int]]:
    """A server of this kind with one process: its port and its pid. Ends it afterwards."""
    port = own_port()
    module = ("processor", "web") if kind == OURS else ("benchmarks.servers", kind)
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        **ENVIRON,
        "PORT": str(port),
        "REDIS_URL": redis_url,
        "WEB_CONCURRENCY": "1",
        "LOG_LEVEL": "WARNING",
        "DATA_DIR": str(folder),
    }
    process = subprocess.Popen([sys.executable, "-m", *module], env=env, cwd=folder)
    try:
        until(lambda: _answers(port))
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(60)


def _answers(port: int) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).is_success
    return False


if __name__ == "__main__":
    settings = load_from_environment()
    logs.configure(settings.log_level, stream=sys.stdout)
    watch_parent()
    serve(settings, f"benchmarks.servers:create_{sys.argv[1]}")
