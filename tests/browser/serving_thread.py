"""An application behind a real server in a thread of the tests."""

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.serving import make_server
from werkzeug.wsgi import ClosingIterator

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


@contextlib.contextmanager
def served(app: Flask) -> Iterator[int]:
    """The port of 127.0.0.1 at which ``app`` answers.

    A response is whole before it is sent: this server leaves files open where a browser resets a connection.
    """

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
        with contextlib.closing(ClosingIterator(app(environ, start_response))) as body:
            return [b"".join(body)]

    server = make_server("127.0.0.1", 0, answer, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
