"""Faults are reported where that was asked for, and nowhere else: by the real library, to a real server."""

import gzip
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from processor.runtime.sentry import report_errors
from processor.settings.loading import load
from tests.support import preloaded

NEEDED = {"CODAT_ALERT_AUTHORIZATIONS": "Basic c29tZWJvZHk6ZWxzZQ=="}

FAULTY = """
import logging, os
from flask import Flask
from processor.runtime.sentry import report_errors
from processor.settings.loading import load

dsn, word = os.environ["DSN"], os.environ["WORD"]
needed = {"CODAT_ALERT_AUTHORIZATIONS": "Basic c29t", "CODAT_API_KEY": f"very-{word}-key"}
assert report_errors(load({**needed, "SENTRY_DSN": dsn}))
app = Flask(__name__)
log = logging.getLogger("processor.somewhere")

@app.post("/connect/<token>/manage")
def manage(token):
    own = f"a local {word}"
    log.warning(f"What came before, with very-{word}-key", extra={"link": f"https://us.example/connect/{word}"})
    try:
        raise ValueError(f"It went wrong with very-{word}-key at /connect/{word}")
    except ValueError:
        log.exception("A fault of ours", extra={"event_id": "evt_1", "header": f"Bearer {word}"})
    return ""

secrets = {"X-Key": word, "Cookie": f"session={word}", "Authorization": f"Basic {word}"}
app.test_client().post(f"/connect/{word}/manage?otp={word}", data=word.encode(), headers=secrets)
import sentry_sdk
sentry_sdk.flush(30)
"""
"""A process of its own: the library changes much in the process that it reports from. The secret stands in no
line of it, for lines of the source are reported."""


def test_nothing_is_reported_without_an_address() -> None:
    assert report_errors(load(NEEDED)) is False


def test_a_report_holds_no_secret_no_link_and_nothing_of_the_request(tmp_path: Path) -> None:
    """Sentry's own integrations add addresses, headers and what was logged before; none of it passes us."""
    (tmp_path / "faulty.py").write_text(FAULTY)
    with receiving() as (url, received):
        environ = {**os.environ, "DSN": url, "WORD": "hushhush", "no_proxy": "127.0.0.1"}
        run = preloaded.run(["-c", "import faulty"], env=environ, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    told = b"\n".join(received).decode()
    assert "A fault of ours" in told
    assert "It went wrong with *** at /connect/***" in told
    assert "What came before, with ***" in told
    assert "evt_1" in told
    assert "hush" not in told


CALLING = """
import asyncio, json, logging, os, ssl
from concurrent.futures import ThreadPoolExecutor
import httpx, requests, urllib.request
from processor.codat.client import CodatClient
from processor.codat.http import CodatHttp
from processor.delivery.http_sender import HttpSender
from processor.runtime.sentry import report_errors
from processor.settings.loading import load

outside = os.environ["OUTSIDE"]
assert report_errors(load({"CODAT_ALERT_AUTHORIZATIONS": "Basic c29t", "SENTRY_DSN": os.environ["DSN"]}))
outgoing = HttpSender(allow_private=True, lookups=ThreadPoolExecutor(1))
asyncio.run(outgoing.post(f"{outside}/subscriber?key=hush-1", b"{}", {}))
with CodatClient(CodatHttp(api_key="key", base_url=outside)) as codat:
    try:
        codat.get_company("hush-2")
    except Exception:
        pass
requests.post(f"{outside}/chat?key=hush-3", data="{}")
urllib.request.urlopen(f"{outside}/library?key=hush-4", data=b"{}").read()
logging.getLogger("processor").error(f"A fault with {outside}/somewhere?key=hush-5 in the middle")
import sentry_sdk
sentry_sdk.flush(30)
"""


def test_outside_hosts_learn_nothing_of_sentry_and_sentry_nothing_of_their_addresses(tmp_path: Path) -> None:
    """With SENTRY_DSN its key went to every outside host (``baggage``), and their queries to it."""
    (tmp_path / "calling.py").write_text(CALLING)
    with receiving() as (dsn, received), hearing() as (outside, heads):
        environ = {**os.environ, "DSN": dsn, "OUTSIDE": outside, "no_proxy": "*"}
        run = preloaded.run(["-c", "import calling"], env=environ, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert len(heads) >= 4
    for names in heads:
        assert names.isdisjoint({"baggage", "sentry-trace", "traceparent", "tracestate"})
    told = b"\n".join(received).decode()
    assert "A fault with" in told
    assert "in the middle" in told
    assert "hush" not in told


@contextmanager
def hearing() -> Iterator[tuple[str, list[set[str]]]]:
    """An outside host: its address, and the names of the headers of each request."""
    heads: list[set[str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            heads.append({name.lower() for name in self.headers})
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST  # noqa: N815 - the name is the library's

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", heads
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def receiving() -> Iterator[tuple[str, list[bytes]]]:
    """A DSN at which reports are taken, and what came."""
    received: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://key@127.0.0.1:{server.server_port}/1", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
