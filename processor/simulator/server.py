"""Serves the simulator over HTTP with threads of this process."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from socketserver import TCPServer
from typing import Self
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from processor.simulator.app import SIMULATION, simulator_app
from processor.simulator.config import SimulatorConfig
from processor.simulator.simulation import Simulation
from processor.simulator.times import Clock


def stop_serving(server: TCPServer) -> None:
    """End ``serve_forever``, which otherwise notices at its next look, each half second, that it has to."""
    with contextlib.suppress(OSError):  # only Linux wakes who waits for a caller
        server.socket.shutdown(socket.SHUT_RDWR)
    server.shutdown()


class _QuietHandler(WSGIRequestHandler):
    """Answers without a line in the log for every call, and leaves the ``Date`` to the app."""

    def send_response(self, code: int, message: str | None = None) -> None:
        """Begin an answer without headers of the server's own."""
        self.send_response_only(code, message)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


class SimulatorServer:
    """A simulated Codat at ``url`` between ``start`` and ``stop``; also usable as a context manager.

    The port is taken when the server is made, so that ``url`` and ``config`` are known before it starts.
    """

    def __init__(self, config: SimulatorConfig | None = None, clock: Clock = time.time) -> None:
        config = config or SimulatorConfig()
        self._server: BaseWSGIServer = make_server(
            config.host, config.port, self._respond, threaded=True, request_handler=_QuietHandler
        )
        self.config = replace(config, port=self._server.server_port)
        self.simulation = Simulation(self.config, clock)
        """What the server serves, for tests that look inside."""
        self._app = simulator_app()
        self._thread = threading.Thread(target=self._server.serve_forever, name="simulator", daemon=True)

    @property
    def url(self) -> str:
        """The address of the simulator, without a slash at the end."""
        return self.config.base_url

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Answer and send nothing more, and give the port back."""
        self.simulation.stop()
        if self._thread.is_alive():
            stop_serving(self._server)
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _respond(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._app({**environ, SIMULATION: self.simulation}, start_response)
