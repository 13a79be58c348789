"""The Flask app of the simulated Codat."""

import functools
from datetime import UTC, datetime
from typing import cast

from flask import Flask, Response, request
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


@functools.cache
def simulator_app() -> Flask:
    """The WSGI app of every simulation of this process; each request says which one it is for."""
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.config["MAX_CONTENT_LENGTH"] = 1_048_576
    simulation = cast(Simulation, LocalProxy(lambda: request.environ[SIMULATION]))
    app.register_blueprint(api_blueprint(simulation))
    app.register_blueprint(control_blueprint(simulation))
    app.register_blueprint(link_blueprint(simulation))
    app.register_blueprint(home_blueprint(simulation))
    app.register_blueprint(lender_blueprint(simulation))

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
