"""What Codat sends about a change, in each generation's own form.

Current bodies: https://docs.codat.io/using-the-api/webhooks/event-types
Legacy alerts: https://docs.codat.io/using-the-api/webhooks/legacy/core-rules-types
"""

import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from processor.simulator.config import Generation
from processor.simulator.entities import (
    COMPLETE,
    NOT_SUPPORTED,
    CodatChange,
    SimulatedCompany,
    SimulatedConnection,
    SimulatedDataset,
    new_id,
)
from processor.simulator.platforms import JsonObject
from processor.simulator.times import codat_time

# Codat shows one body id on messages of many kinds, so ours tells nothing apart either.
_BODY_ID = "c0da7000-51a1-4f3e-8a55-7d3d0f6a2b19"
_NAMESPACE = uuid.UUID("0f5e0b9c-31e4-4a8e-9c0e-8a4b3fd0c1aa")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message, the same at every attempt.

    ``event_type`` is the current service's ``eventType`` or the legacy ``RuleType``. ``webhook_id`` travels
    as a header, except with the legacy generation.
    """

    generation: Generation
    event_type: str
    body: bytes
    company_id: str
    connection_id: str | None
    tags: tuple[tuple[str, str], ...] = ()
    webhook_id: str = field(default_factory=lambda: "msg_" + uuid.uuid4().hex)


class Composer:
    """Writes messages; ``link_url`` gives the address of a connection's Link page, without a password."""

    def __init__(
        self, *, base_url: str, client_id: str, link_url: Callable[[SimulatedConnection], str]
    ) -> None:
        self._base_url = base_url
        self._client_id = client_id
        self._link_url = link_url

    def compose(self, happened: CodatChange, generations: Iterable[Generation]) -> list[Message]:
        """The messages of the wanted generations about one change, in the order in which Codat sends them."""
        messages: list[Message] = []
        for generation in sorted(generations):
            bodies: Iterable[tuple[str, JsonObject]]
            if generation is Generation.CURRENT:
                bodies = [(happened.event_type, self._current(happened))]
            else:
                bodies = ((str(alert["RuleType"]), alert) for alert in self._legacy(happened))
            messages += [
                Message(
                    generation=generation,
                    event_type=event_type,
                    body=json.dumps(body, ensure_ascii=False).encode(),
                    company_id=happened.company.id,
                    connection_id=happened.connection.id if happened.connection else None,
                    tags=tuple(happened.company.tags.items()),
                )
                for event_type, body in bodies
            ]
        return messages

    def _current(self, happened: CodatChange) -> JsonObject:
        payload: JsonObject
        if happened.connection is None:
            payload = self.company_details(happened.company)
            if happened.product is not None:
                payload |= {"productId": happened.product, "productName": happened.product.title()}
        else:
            payload = {"referenceCompany": self._reference(happened.company)}
            if happened.datasets:
                payload["modifiedFromDate"] = codat_time(happened.connection.created)
                payload["dataTypes"] = [self._summary(happened, dataset) for dataset in happened.datasets]
            else:
                payload["connection"] = happened.connection.as_json(self._link_url(happened.connection))
        return {
            "id": _BODY_ID,
            "eventType": happened.event_type,
            "generatedDate": codat_time(happened.at),
            "payload": payload,
        }

    def company_details(self, company: SimulatedCompany) -> JsonObject:
        """A company as the API and the messages about it show it."""
        shown: JsonObject = {
            "id": company.id,
            "name": company.name,
            "redirect": f"{self._base_url}/",
            "created": codat_time(company.created),
            "tags": dict(company.tags),
            "products": list(company.products),
        }
        if company.last_sync is not None:
            shown["lastSync"] = codat_time(company.last_sync)
        return shown

    def _reference(self, company: SimulatedCompany) -> JsonObject:
        return {
            "id": company.id,
            "name": company.name,
            "links": {"portal": f"{self._base_url}/#company-{company.id}"},
            "tags": dict(company.tags),
        }

    def _summary(self, happened: CodatChange, dataset: SimulatedDataset) -> JsonObject:
        issues: list[JsonObject] = []
        if dataset.message is not None:
            portal = f"{self._base_url}/#company-{happened.company.id}"
            issues.append({"type": "error.read", "message": dataset.message, "links": {"portal": portal}})
        return {
            "connectionId": dataset.connection_id,
            "dataType": dataset.data_type,
            "recordsModified": dataset.status == COMPLETE,
            "status": dataset.status,
            "issues": issues,
        }

    def _legacy(self, happened: CodatChange) -> list[JsonObject]:
        connection = happened.connection
        if connection is None:
            return []
        match happened.event_type:
            case (
                "connection.created"
                | "connection.connected"
                | "connection.reconnected"
                | "connection.disconnected"
            ):
                return [self._status_changed(happened, connection)]
            case "connection.deleted" if connection.platform.source_type == "Commerce":
                text = f"The sync connection of company {happened.company.id} was deleted"
                return [self._alert(happened, "Sync Connection Deleted", text, None, names_connection=False)]
            case "read.completed.initial" if any(dataset.status == COMPLETE for dataset in happened.datasets):
                text = f"Company {happened.company.id} was read for the first time"
                data: JsonObject = {
                    "companyName": happened.company.name,
                    "sourceType": connection.platform.source_type,
                }
                return [self._alert(happened, "New company synchronized", text, data)]
            case "read.completed":
                return [alert for dataset in happened.datasets for alert in self._read(happened, dataset)]
            case _:
                return []

    def _status_changed(self, happened: CodatChange, connection: SimulatedConnection) -> JsonObject:
        data: JsonObject = {
            "dataConnectionId": connection.id,
            "newStatus": connection.status.value,
            "platformKey": connection.platform.key,
        }
        text = f"The data connection for {connection.platform.name} is {connection.status.value} now"
        if happened.old_status is not None:
            data["oldStatus"] = happened.old_status.value
            text += f" and was {happened.old_status.value} before"
        return self._alert(happened, "DataConnectionStatusChanged", text, data)

    def _read(self, happened: CodatChange, dataset: SimulatedDataset) -> list[JsonObject]:
        data: JsonObject = {"dataType": dataset.data_type, "datasetId": dataset.id}
        about = f"{dataset.data_type} of company {happened.company.id}"
        if dataset.status == NOT_SUPPORTED:
            return []
        if dataset.status == COMPLETE:
            return [
                self._alert(happened, "Data sync completed", f"Reading {about} is complete", data),
                self._alert(happened, "Dataset data changed", f"There are changes in {about}", data),
            ]
        text = f"Reading {about} ended with {dataset.status}"
        data["datasetStatus"] = dataset.status
        return [self._alert(happened, "Data Sync Status Changed To Error", text, data)]

    def _alert(
        self,
        happened: CodatChange,
        rule_type: str,
        text: str,
        data: JsonObject | None,
        *,
        names_connection: bool = True,
    ) -> JsonObject:
        alert: JsonObject = {
            "AlertId": new_id(),
            "RuleId": str(uuid.uuid5(_NAMESPACE, rule_type)),
            "RuleType": rule_type,
            "ClientId": self._client_id,
            "ClientName": "Simulated client",
            "CompanyId": happened.company.id,
        }
        if names_connection and happened.connection is not None:
            alert["DataConnectionId"] = happened.connection.id
        alert["Message"] = text
        if data is not None:
            alert["Data"] = data
        return alert
