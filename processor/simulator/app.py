"""The Flask app of the simulated Codat."""

import contextlib
import functools
from datetime import UTC, datetime
from typing import cast

from flask import Blueprint, Flask, Response, g, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.local import LocalProxy

from processor.simulator.api import api_blueprint, error_response
from processor.simulator.control import control_blueprint
from processor.simulator.entities import SimulatorRefusal
from processor.simulator.home import home_blueprint
from processor.simulator.lender import lender_blueprint
from processor.simulator.link import link_blueprint
from processor.simulator.simulation import Simulation

SIMULATION = "codat-simulator.simulation"
"""The key of the WSGI environment under which a server puts its simulation."""


def _hold_lock(blueprint: Blueprint, simulation: Simulation) -> None:
    """Let each call hold the lock of the world, after a fault that makes it wait."""

    @blueprint.before_request
    def acquire() -> None:
        request.get_data()  # whoever is slow to send it holds nobody up
        g.held = contextlib.ExitStack()
        g.held.enter_context(simulation.lock)

    @blueprint.teardown_request
    def release(_error: BaseException | None) -> None:
        if "held" in g:
            g.held.close()


@functools.cache
def simulator_app() -> Flask:
    """The WSGI app of every simulation of this process; each request says which one it is for."""
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.config["MAX_CONTENT_LENGTH"] = 1_048_576
    simulation = cast(Simulation, LocalProxy(lambda: request.environ[SIMULATION]))
    for make in (api_blueprint, control_blueprint, link_blueprint, home_blueprint):
        blueprint = make(simulation)
        _hold_lock(blueprint, simulation)
        app.register_blueprint(blueprint)
    app.register_blueprint(lender_blueprint(simulation))  # which asks the service, and that asks Codat

    app.register_error_handler(SimulatorRefusal, error_response)

    @app.after_request
    def date(answer: Response) -> Response:
        if answer.date is None:
            answer.date = datetime.fromtimestamp(simulation.clock(), tz=UTC)
        return answer

    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> ResponseReturnValue:
        return error_response(SimulatorRefusal(error.code or 500, error.description or error.name))

    return app
