"""The control API under ``/simulator``: a JSON call for every change that can happen at Codat.

It has no password: run it on your own machine only.
"""

from collections.abc import Mapping

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from processor.simulator.api import json_body
from processor.simulator.entities import SimulatorRefusal
from processor.simulator.platforms import JsonObject
from processor.simulator.simulation import Simulation, delivery_mode_of


def control_blueprint(simulation: Simulation) -> Blueprint:
    control = Blueprint("control", __name__, url_prefix="/simulator")

    @control.post("/companies")
    def create_company() -> ResponseReturnValue:
        options = _options()
        with simulation.delivery.with_mode(delivery_mode_of(options)):
            company = simulation.world.create_company(
                options.get("name", "Simulated company"), options.get("tags")
            )
        return jsonify({"company_id": company.id}), 201

    @control.delete("/companies/<company_id>")
    def delete_company(company_id: str) -> ResponseReturnValue:
        with simulation.delivery.with_mode(delivery_mode_of(_options())):
            simulation.world.delete_company(company_id)
        return jsonify({"company_id": company_id})

    @control.post("/companies/<company_id>/connections")
    def create_connection(company_id: str) -> ResponseReturnValue:
        options = _options()
        with simulation.delivery.with_mode(delivery_mode_of(options)):
            connection = simulation.world.create_connection(company_id, options.get("platform_key", "gbol"))
        link_url = simulation.fresh_link_url(connection)
        return jsonify({"connection_id": connection.id, "link_url": link_url}), 201

    @control.post("/connections/<connection_id>/<change>")
    def change_connection(connection_id: str, change: str) -> ResponseReturnValue:
        simulation.change(connection_id, change, _options())
        return jsonify({"connection_id": connection_id})

    @control.get("/chaos")
    def show_chaos() -> ResponseReturnValue:
        return jsonify(simulation.delivery.chaos.as_json())

    @control.patch("/chaos")
    def change_chaos() -> ResponseReturnValue:
        return jsonify(simulation.delivery.disturb(_options()).as_json())

    @control.post("/release")
    def release() -> ResponseReturnValue:
        shuffle = _options().get("shuffle")
        return jsonify(
            {"released": simulation.delivery.release(shuffle=None if shuffle is None else bool(shuffle))}
        )

    @control.get("/settings")
    def show_settings() -> ResponseReturnValue:
        return jsonify(_settings(simulation))

    @control.patch("/settings")
    def change_settings() -> ResponseReturnValue:
        _change_settings(simulation, _options())
        return jsonify(_settings(simulation))

    @control.post("/consumer/<state>")
    def switch_consumer(state: str) -> ResponseReturnValue:
        if state not in ("on", "off"):
            raise SimulatorRefusal(404, "The configured consumer can be switched on or off")
        simulation.consumers.switch_configured(on=state == "on")
        return jsonify({"consumer": state})

    @control.get("/deliveries")
    def show_deliveries() -> ResponseReturnValue:
        return jsonify(simulation.delivery.as_json())

    @control.get("/truth")
    def show_truth() -> ResponseReturnValue:
        return jsonify(simulation.truth())

    @control.get("/faults")
    def show_faults() -> ResponseReturnValue:
        return jsonify(simulation.faults.as_json())

    @control.post("/faults")
    def plan_fault() -> ResponseReturnValue:
        simulation.faults.plan(_options())
        return jsonify(simulation.faults.as_json()), 201

    @control.delete("/faults")
    def clear_faults() -> ResponseReturnValue:
        simulation.faults.clear()
        return jsonify(simulation.faults.as_json())

    return control


def _options() -> Mapping[str, object]:
    return json_body() if request.get_data() else {}


def _settings(simulation: Simulation) -> JsonObject:
    return {
        "generations": sorted(simulation.generations),
        "auto_sync": simulation.auto_sync,
        "sync_s": simulation.sync_s,
    }


def _change_settings(simulation: Simulation, wanted: Mapping[str, object]) -> None:
    for name, value in wanted.items():
        match name, value:
            case "generations", list():
                simulation.set_generations(value)
            case "auto_sync", bool():
                simulation.auto_sync = value
            case "sync_s", float() | int() if value >= 0:
                simulation.sync_s = float(value)
            case _:
                raise SimulatorRefusal(400, f"Not a setting, or not a value that it can have: {name}")
