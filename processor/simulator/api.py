"""The calls of Codat's API that this project uses: https://docs.codat.io/platform-api

Every call needs ``Authorization: Basic base64(API key)``; every response has the quota and Codat's ``Date``.
"""

import hmac
from datetime import UTC, datetime

from flask import Blueprint, Response, g, jsonify, request
from flask.typing import ResponseReturnValue

from processor.simulator.entities import (
    SimulatedCompany,
    SimulatedConnection,
    SimulatedDataset,
    SimulatorRefusal,
    Status,
    new_id,
)
from processor.simulator.faults import SENTENCES, Fault
from processor.simulator.platforms import PLATFORMS, JsonObject, SimulatedPlatform, platform_of
from processor.simulator.products import add_product_calls
from processor.simulator.query import matching, page_of
from processor.simulator.simulation import Simulation
from processor.simulator.times import codat_time

_COMPANY_NAMES = ("id", "name", "created", "lastSync", "tags.")
_CONNECTION_NAMES = (
    "id",
    "integrationId",
    "integrationKey",
    "platformName",
    "sourceType",
    "status",
    "created",
)
_HISTORY_NAMES = (
    "id",
    "companyId",
    "connectionId",
    "dataType",
    "status",
    "requested",
    "completed",
    "progress",
)
_INTEGRATION_NAMES = ("key", "name", "enabled", "sourceId", "sourceType", "integrationId", "isBeta")


def error_response(refused: SimulatorRefusal) -> Response:
    """An error in Codat's form."""
    body: JsonObject = {
        "statusCode": refused.status,
        "service": refused.service,
        "error": refused.sentence,
        "correlationId": new_id().replace("-", ""),
        "canBeRetried": "True" if refused.status in (429, 503) else "Unknown",
        "detailedErrorCode": 0,
    }
    if refused.status == 400:
        errors = [{"itemId": "", "message": refused.sentence, "validatorName": refused.service}]
        body["validation"] = {"errors": errors, "warnings": []}
    response = jsonify(body)
    response.status_code = refused.status
    return response


def api_blueprint(simulation: Simulation) -> Blueprint:
    api = Blueprint("api", __name__)

    @api.before_request
    def apply_fault_and_check_key() -> ResponseReturnValue | None:
        fault = simulation.faults.take(request.method, request.path)
        g.fault = fault
        simulation.quota.count()
        if fault is not None and fault.hang_s:
            simulation.faults.stopping.wait(fault.hang_s)
        if fault is not None and fault.status is not None:
            return error_response(
                SimulatorRefusal(fault.status, SENTENCES.get(fault.status, "Something went wrong"))
            )
        authorization = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(authorization, simulation.config.api_authorization.encode()):
            return error_response(SimulatorRefusal(401, SENTENCES[401]))
        return None

    @api.after_request
    def add_headers(response: Response) -> Response:
        simulation.quota.add_headers(response)
        offset_s = simulation.faults.date_offset_s
        now = datetime.fromtimestamp(simulation.clock() + offset_s, tz=UTC)
        response.date = now
        fault: Fault | None = g.get("fault")
        if fault is not None and fault.retry_after_s is not None:
            response.headers["Retry-After"] = str(fault.retry_after_s)
        if fault is not None and fault.broken_json:
            response.set_data(response.get_data()[: max(1, len(response.get_data()) // 2)])
        return response

    def show_company(company: SimulatedCompany) -> JsonObject:
        connections = [show_connection(connection) for connection in company.present]
        return {**simulation.composer.company_details(company), "dataConnections": connections}

    def show_connection(connection: SimulatedConnection) -> JsonObject:
        shown = connection.as_json(simulation.fresh_link_url(connection))
        if lag_s := simulation.faults.lag_s:
            as_of = datetime.fromtimestamp(simulation.clock() - lag_s, tz=UTC)
            shown["status"] = connection.status_at(as_of).value
        return shown

    def listed(rows: list[JsonObject], names: tuple[str, ...], kind: str) -> ResponseReturnValue:
        matches = matching(rows, request.args.get("query"), names, kind)
        sortable = [name for name in names if not name.endswith(".")]
        return jsonify(page_of(matches, request.args, request.path, sortable))

    @api.get("/companies")
    def list_companies() -> ResponseReturnValue:
        return listed(
            [show_company(company) for company in simulation.world.companies()], _COMPANY_NAMES, "Company"
        )

    @api.post("/companies")
    def create_company() -> ResponseReturnValue:
        body = json_body()
        products = _assigned_products(body.get("products"), simulation.config.products)
        return jsonify(
            show_company(simulation.world.create_company(body.get("name"), body.get("tags"), products))
        )

    @api.get("/companies/<company_id>")
    def get_company(company_id: str) -> ResponseReturnValue:
        return jsonify(show_company(simulation.world.company(company_id)))

    @api.delete("/companies/<company_id>")
    def delete_company(company_id: str) -> ResponseReturnValue:
        simulation.world.delete_company(company_id)
        return "", 204

    @api.get("/companies/<company_id>/connections")
    def list_connections(company_id: str) -> ResponseReturnValue:
        rows = [show_connection(connection) for connection in simulation.world.company(company_id).present]
        return listed(rows, _CONNECTION_NAMES, "DataConnection")

    @api.post("/companies/<company_id>/connections")
    def create_connection(company_id: str) -> ResponseReturnValue:
        body = json_body()
        return jsonify(
            show_connection(simulation.world.create_connection(company_id, body.get("platformKey")))
        )

    @api.get("/companies/<company_id>/connections/<connection_id>")
    def get_connection(company_id: str, connection_id: str) -> ResponseReturnValue:
        return jsonify(show_connection(simulation.world.connection(company_id, connection_id)))

    @api.patch("/companies/<company_id>/connections/<connection_id>")
    def unlink_connection(company_id: str, connection_id: str) -> ResponseReturnValue:
        body = json_body()
        connection = simulation.world.connection(company_id, connection_id)
        if body.get("status") != Status.UNLINKED.value:
            raise SimulatorRefusal(400, "The status of a data connection can only be set to Unlinked")
        if connection.status is not Status.LINKED:
            raise SimulatorRefusal(
                400, f"A data connection that is {connection.status.value} cannot be unlinked"
            )
        return jsonify(show_connection(simulation.world.unlink(connection_id)))

    @api.delete("/companies/<company_id>/connections/<connection_id>")
    def delete_connection(company_id: str, connection_id: str) -> ResponseReturnValue:
        simulation.world.connection(company_id, connection_id)
        simulation.world.delete_connection(connection_id)
        return "", 200

    @api.put("/companies/<company_id>/connections/<connection_id>/authorization")
    def authorize_with_token(company_id: str, connection_id: str) -> ResponseReturnValue:
        """A token of the client's own integration gives access; Codat starts no first read."""
        json_body()
        simulation.world.connection(company_id, connection_id)
        return jsonify(show_connection(simulation.world.authorize(connection_id)))

    @api.get("/companies/<company_id>/dataStatus")
    def data_status(company_id: str) -> ResponseReturnValue:
        return jsonify(_data_statuses(simulation.world.company(company_id).datasets))

    @api.get("/companies/<company_id>/data/info")
    def company_info(company_id: str) -> ResponseReturnValue:
        """The company data of the accounting software, where it was read."""
        read = [
            connection
            for connection in simulation.world.company(company_id).present
            if connection.platform.source_type == "Accounting" and connection.last_sync
        ]
        if not read:
            raise SimulatorRefusal(404, "No company data was read")
        return jsonify({"companyName": read[-1].business_name or read[-1].account_name})

    @api.get("/companies/<company_id>/data/history")
    def history(company_id: str) -> ResponseReturnValue:
        rows = [dataset.as_history(company_id) for dataset in simulation.world.company(company_id).datasets]
        rows.sort(key=lambda row: str(row["requested"]), reverse=True)
        return listed(rows, _HISTORY_NAMES, "Dataset")

    @api.get("/companies/<company_id>/data/history/<dataset_id>")
    def get_dataset(company_id: str, dataset_id: str) -> ResponseReturnValue:
        for dataset in simulation.world.company(company_id).datasets:
            if dataset.id == dataset_id:
                return jsonify(dataset.as_history(company_id))
        raise SimulatorRefusal(404, f"There is no dataset {dataset_id}", "PullApi")

    @api.post("/companies/<company_id>/data/all")
    def read_again(company_id: str) -> ResponseReturnValue:
        simulation.read_again(simulation.world.company(company_id))
        return "", 204

    add_product_calls(api, simulation)

    @api.get("/integrations")
    def list_integrations() -> ResponseReturnValue:
        rows = [platform.as_integration(simulation.config.base_url) for platform in PLATFORMS]
        return listed(rows, _INTEGRATION_NAMES, "Integration")

    @api.get("/integrations/<key>")
    def get_integration(key: str) -> ResponseReturnValue:
        return jsonify(_platform(key).as_integration(simulation.config.base_url))

    @api.get("/integrations/<key>/branding")
    def get_branding(key: str) -> ResponseReturnValue:
        return jsonify(_platform(key).as_branding(simulation.config.base_url))

    @api.get("/webhooks")
    def list_consumers() -> ResponseReturnValue:
        return jsonify({"results": [consumer.as_json() for consumer in simulation.consumers.all()]})

    @api.post("/webhooks")
    def add_consumer() -> ResponseReturnValue:
        body = json_body()
        return jsonify(simulation.consumers.add(body).as_json()), 201

    @api.delete("/webhooks/<consumer_id>")
    def remove_consumer(consumer_id: str) -> ResponseReturnValue:
        simulation.consumers.remove(consumer_id)
        return "", 204

    return api


def _platform(key: str) -> SimulatedPlatform:
    platform = platform_of(key)
    if platform is None:
        raise SimulatorRefusal(404, f"There is no integration with the key {key}", "IntegrationsApi")
    return platform


def _assigned_products(names: object, products: tuple[str, ...]) -> tuple[str, ...]:
    """The products of a new company; refused (400) if the client lacks one, or requires one."""
    assigned = tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else ()
    for unknown in set(assigned) - set(products):
        raise SimulatorRefusal(400, f"The product '{unknown}' does not exist for this client", "ClientsApi")
    if products and not assigned:
        raise SimulatorRefusal(400, "At least one product must be assigned to the company", "ClientsApi")
    return assigned


def json_body() -> JsonObject:
    """The JSON object in the body of the request; refused (400) where it is none."""
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise SimulatorRefusal(400, "The body is not a JSON object")
    return body


def _data_statuses(datasets: list[SimulatedDataset]) -> dict[str, JsonObject]:
    statuses: dict[str, JsonObject] = {}
    for dataset in sorted(datasets, key=lambda dataset: dataset.requested):
        status = statuses.setdefault(dataset.data_type, {})
        status |= {
            "dataType": dataset.data_type,
            "currentStatus": dataset.status,
            "latestSyncId": dataset.id,
        }
        if dataset.status == "Complete" and dataset.completed is not None:
            status |= {
                "lastSuccessfulSync": codat_time(dataset.completed),
                "latestSuccessfulSyncId": dataset.id,
            }
    return statuses
