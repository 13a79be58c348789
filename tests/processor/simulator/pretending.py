"""A stand-in for the product, for the runner of stories alone.

It is told by messages that something happened, looks at the simulator's truth, and tells what it sees.
A ``Mistake`` makes it do one thing wrong. It knows nothing of signatures, or of states beyond what the
stories need.
"""

import json
import threading
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from flask import Flask, Response, abort, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.serving import make_server

from processor.simulator.entities import BAD_ENDS, FirstSync, SimulatedConnection, Status
from processor.simulator.server import stop_serving
from processor.simulator.simulation import Simulation

API_KEY = "the-key-of-the-product"


class Mistake(StrEnum):
    """What the product does wrong."""

    TELLS_NOTHING = "tells nothing"
    TELLS_TWICE = "tells twice"
    TELLS_TOO_MUCH = "tells too much"
    FORGETS_FAILED = "forgets failed data types"
    SHOWS_WRONG_STATE = "shows a wrong state"
    NEVER_FINISHES = "never finishes"
    LISTS_TWICE = "lists twice"


class PretendedProduct:
    """Serves ``/webhooks/codat`` and as much of ``/v1`` as a story reads."""

    def __init__(self, mistake: Mistake | None = None) -> None:
        self.simulation: Simulation | None = None
        self._mistake = mistake
        self._told: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._server = make_server("127.0.0.1", 0, self._app(), threaded=True)
        self._server.log = lambda *_, **__: None
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Serve no more."""
        stop_serving(self._server)
        self._server.server_close()
        self._thread.join()

    def _app(self) -> Flask:
        app = Flask(__name__)

        @app.before_request
        def check() -> None:
            if request.path.startswith("/v1") and request.headers.get("Authorization") != f"Bearer {API_KEY}":
                abort(401)

        @app.post("/webhooks/codat")
        def hear() -> ResponseReturnValue:
            self._hear(json.loads(request.get_data()))
            return Response(status=202)

        @app.get("/v1/events")
        def events() -> ResponseReturnValue:
            is_busy = self._mistake is Mistake.NEVER_FINISHES and request.args["status"] == "pending"
            return jsonify({"items": [{"id": "evt"}] if is_busy else [], "next_cursor": None})

        @app.get("/v1/notifications")
        def notifications() -> ResponseReturnValue:
            """One notification a page, so that the pages are followed."""
            with self._lock:
                results = [
                    notification
                    for notification in self._told
                    if notification["data"]["connection_id"] == request.args["connection_id"]
                ]
            start = int(request.args.get("cursor", 0))
            items = results[start : start + 1]
            if self._mistake is Mistake.LISTS_TWICE:
                items = [*items, *items]
            following = str(start + 1) if start + 1 < len(results) else None
            return jsonify({"items": items, "next_cursor": following})

        @app.get("/v1/connections/<connection_id>")
        def connection(connection_id: str) -> ResponseReturnValue:
            with self._lock:
                told = [
                    notification
                    for notification in self._told
                    if notification["data"]["connection_id"] == connection_id
                ]
            if not told:
                abort(404)
            data = told[-1]["data"]
            state = "pending" if self._mistake is Mistake.SHOWS_WRONG_STATE else data["state"]
            return jsonify({"id": connection_id, "state": state, "authorization": data["authorization"]})

        return app

    def _hear(self, body: Mapping[str, Any]) -> None:
        simulation = self.simulation
        if simulation is None or self._mistake is Mistake.TELLS_NOTHING:
            return
        with simulation.lock:
            for company in simulation.world.companies():
                for item in company.present:
                    self._look(item, body)

    def _look(self, connection: SimulatedConnection, body: Mapping[str, Any]) -> None:
        number = connection.authorizations
        if connection.status is Status.LINKED:
            first_time = number == 1
            name = "connection.authorized" if first_time else "connection.reauthorized"
            self._tell(connection, name, "authorized")
            if connection.first_sync is FirstSync.COMPLETE:
                read = connection.first_read
                failed = {
                    dataset.data_type: dataset.status
                    for dataset in (read.datasets if read else [])
                    if dataset.status in BAD_ENDS
                }
                if self._mistake is Mistake.FORGETS_FAILED:
                    failed = {}
                self._tell(connection, "initial_sync.completed", "ready", {"complete": [], "failed": failed})
            elif connection.first_sync is FirstSync.FAILED:
                self._tell(connection, "initial_sync.failed", "sync_failed")
        elif connection.status is Status.DEAUTHORIZED:
            self._tell(connection, "connection.deauthorized", "deauthorized")
        elif body.get("eventType") == "connection.failed":
            self._tell(connection, "connection.authorization_failed", "authorization_failed")

    def _tell(
        self,
        connection: SimulatedConnection,
        name: str,
        state: str,
        data_types: Mapping[str, object] | None = None,
    ) -> None:
        data = {
            "connection_id": connection.id,
            "state": state,
            "authorization": connection.authorizations,
            "data_types": data_types,
        }
        with self._lock:
            key = (name, connection.id, connection.authorizations)
            known = [
                (
                    notification["type"],
                    notification["data"]["connection_id"],
                    notification["data"]["authorization"],
                )
                for notification in self._told
            ]
            if key in known:
                return
            names = [name]
            if self._mistake is Mistake.TELLS_TWICE:
                names.append(name)
            if self._mistake is Mistake.TELLS_TOO_MUCH:
                names.append("connection.unlinked")
            for each in names:
                self._told.append({"id": f"ntf_{len(self._told)}", "type": each, "data": data})
