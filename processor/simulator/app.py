"""The Flask app of the simulated Codat."""

import time
from datetime import UTC, datetime

from flask import Flask, Response
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from processor.simulator.api import api_blueprint, error_response
from processor.simulator.config import SimulatorConfig
from processor.simulator.control import control_blueprint
from processor.simulator.entities import SimulatorRefusal
from processor.simulator.home import home_blueprint
from processor.simulator.lender import lender_blueprint
from processor.simulator.link import link_blueprint
from processor.simulator.simulation import Simulation
from processor.simulator.times import Clock

_EXTENSION = "codat-simulator"


def create_simulator(config: SimulatorConfig, clock: Clock = time.time) -> Flask:
    """Create a simulated Codat as a WSGI app; ``clock`` returns seconds since 1970.

    Its threads start with the first message or read; ``simulation_of(app).stop()`` ends them. With port 0 and
    without ``public_url`` its URLs are wrong: ``SimulatorServer`` finds the port first.
    """
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.config["MAX_CONTENT_LENGTH"] = 1_048_576
    simulation = Simulation(config, clock)
    app.extensions[_EXTENSION] = simulation
    app.register_blueprint(api_blueprint(simulation))
    app.register_blueprint(control_blueprint(simulation))
    app.register_blueprint(link_blueprint(simulation))
    app.register_blueprint(home_blueprint(simulation))
    app.register_blueprint(lender_blueprint())

    app.register_error_handler(SimulatorRefusal, error_response)

    @app.after_request
    def date(answer: Response) -> Response:
        if answer.date is None:
            answer.date = datetime.fromtimestamp(clock(), tz=UTC)
        return answer

    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> ResponseReturnValue:
        return error_response(SimulatorRefusal(error.code or 500, error.description or error.name))

    return app


def simulation_of(app: Flask) -> Simulation:
    """The simulation behind an app made by ``create_simulator``."""
    simulation: Simulation = app.extensions[_EXTENSION]
    return simulation
