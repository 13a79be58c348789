"""Messages as Codat sends them, of both generations, and the headers that make them authentic.

Bodies are built after Codat's published samples; everything that a test does not say has a harmless default.
"""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

from handlers.events import Event
from processor.alerts.dialects import recognise

SECRET = "whsec_" + base64.b64encode(b"a secret of the tests only").decode()
OTHER_SECRET = "whsec_" + base64.b64encode(b"the one that takes its place").decode()
AUTHORIZATION = "Bearer an-authorization-of-the-tests"
CLIENT_ID = "bae71d36-ff47-420a-b4a6-f8c9ddf41140"
LONG_AGO = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
"""A moment for tests that inject their time; Codat's clock and ours agree in them."""


def fresh(prefix: str = "evt") -> str:
    """An id that nothing else has."""
    return f"{prefix}_{uuid.uuid4().hex}"


# Bodies of the current generation


def current(event_type: str, payload: object, *, at: datetime = LONG_AGO, **more: object) -> bytes:
    """Any message of the current generation."""
    message = {
        "id": "ba29118f-5406-4e59-b05c-ba307ca38d01",
        "eventType": event_type,
        "generatedDate": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z",
        "payload": payload,
        **more,
    }
    return json.dumps(message).encode()


def reference(
    company_id: str, *, merchant_id: str | None = None, name: str = "Toft stores", **tags: str
) -> dict[str, Any]:
    """A company as messages describe it."""
    fields: dict[str, Any] = {"id": company_id, "name": name}
    if merchant_id is not None:
        tags["merchantId"] = merchant_id
    if tags:
        fields["tags"] = tags
    return fields


def connection(
    event_type: str,
    company_id: str,
    connection_id: str,
    *,
    at: datetime = LONG_AGO,
    status: str = "Linked",
    merchant_id: str | None = None,
    source_type: str = "Accounting",
    errors: Sequence[Mapping[str, object]] = (),
) -> bytes:
    """A message about one connection."""
    described: dict[str, Any] = {
        "id": connection_id,
        "integrationId": "bf083d72-62c7-493e-aec9-81b4dbba7e2c",
        "integrationKey": "gbol",
        "platformName": "Xero",
        "status": status,
        "created": "2026-03-01T09:53:29Z",
        "sourceType": source_type,
    }
    if errors:
        described["dataConnectionErrors"] = list(errors)
    payload = {"referenceCompany": reference(company_id, merchant_id=merchant_id), "connection": described}
    return current(event_type, payload, at=at)


def created(company_id: str, connection_id: str, **said: Any) -> bytes:
    """A platform was chosen."""
    return connection("connection.created", company_id, connection_id, status="PendingAuth", **said)


def connected(company_id: str, connection_id: str, **said: Any) -> bytes:
    """Access was given for the first time."""
    return connection("connection.connected", company_id, connection_id, **said)


def reconnected(company_id: str, connection_id: str, **said: Any) -> bytes:
    """Access was given again."""
    return connection("connection.reconnected", company_id, connection_id, **said)


def disconnected(company_id: str, connection_id: str, *, status: str = "Deauthorized", **said: Any) -> bytes:
    """Access ended."""
    return connection("connection.disconnected", company_id, connection_id, status=status, **said)


def failed(company_id: str, connection_id: str, **said: Any) -> bytes:
    """An attempt to give access failed."""
    problem = {"statusCode": "403", "statusText": "Forbidden", "errorMessage": "No.", "status": "Active"}
    said.setdefault("errors", [problem])
    return connection("connection.failed", company_id, connection_id, status="PendingAuth", **said)


def deleted(company_id: str, connection_id: str, **said: Any) -> bytes:
    """A connection is gone; Codat shows it as linked nevertheless."""
    return connection("connection.deleted", company_id, connection_id, **said)


def read(
    company_id: str,
    connection_id: str,
    types: Mapping[str, str] | None = None,
    *,
    initial: bool = False,
    at: datetime = LONG_AGO,
) -> bytes:
    """Data types were read; ``types`` is data type to status."""
    rows = [
        {"connectionId": connection_id, "dataType": name, "status": status, "recordsModified": True}
        for name, status in ({"invoices": "Complete"} if types is None else types).items()
    ]
    event_type = "read.completed.initial" if initial else "read.completed"
    return current(event_type, {"referenceCompany": reference(company_id), "dataTypes": rows}, at=at)


def initial_read(company_id: str, connection_id: str, **said: Any) -> bytes:
    """The first read is complete."""
    return read(company_id, connection_id, initial=True, **said)


def company(event_type: str, company_id: str, *, at: datetime = LONG_AGO, **said: Any) -> bytes:
    """``company.created`` or ``company.deleted``, whose payload is the company itself."""
    return current(event_type, reference(company_id, **said), at=at)


def other(
    event_type: str = "invoices.write.successful",
    *,
    company_id: str | None = None,
    connection_id: str | None = None,
    at: datetime = LONG_AGO,
) -> bytes:
    """A message that is none of our business; it may name a company, a connection, both or neither."""
    payload: dict[str, Any] = {"pushOperationKey": "55361bca-7ce7-4ea2-8c59-fb8c1a6e6c3a"}
    if company_id is not None:
        payload["referenceCompany"] = reference(company_id)
    if connection_id is not None:
        payload["connectionId"] = connection_id
    return current(event_type, payload, at=at)


# Bodies of the legacy generation


def legacy(
    rule_type: str,
    *,
    company_id: str | None = None,
    connection_id: str | None = None,
    data: Mapping[str, object] | None = None,
    alert_id: str | None = None,
) -> bytes:
    """Any legacy alert; two of them differ by ``alert_id``, which is made up unless given."""
    alert: dict[str, Any] = {
        "AlertId": alert_id or str(uuid.uuid4()),
        "ClientId": CLIENT_ID,
        "ClientName": "Bank of Dave",
        "RuleId": "70af3071-65d9-4ec3-b3cb-5283e8d55dac",
        "RuleType": rule_type,
        "Message": "Something happened.",
    }
    if company_id is not None:
        alert["CompanyId"] = company_id
    if connection_id is not None:
        alert["DataConnectionId"] = connection_id
    if data is not None:
        alert["Data"] = dict(data)
    return json.dumps(alert).encode()


def status_alert(company_id: str, connection_id: str, old: str | None, new: str, **said: Any) -> bytes:
    """The status of a connection changed, at some unsaid time."""
    data = {"dataConnectionId": connection_id, "newStatus": new, "platformKey": "gbol"}
    if old is not None:
        data["oldStatus"] = old
    return legacy(
        "DataConnectionStatusChanged", company_id=company_id, connection_id=connection_id, data=data, **said
    )


def synchronised_alert(company_id: str, connection_id: str | None = None, **said: Any) -> bytes:
    """The company, or one connection of it, was read for the first time."""
    return legacy("New company synchronized", company_id=company_id, connection_id=connection_id, **said)


# Authentic


def signed(
    body: bytes,
    event_id: str | None = None,
    *,
    secret: str = SECRET,
    at: datetime | None = None,
    family: str = "webhook",
) -> dict[str, str]:
    """The signature headers of ``body``, signed now unless ``at`` says when."""
    event_id = event_id or fresh("msg")
    moment = at or datetime.now(UTC)
    return {
        f"{family}-id": event_id,
        f"{family}-timestamp": str(int(moment.timestamp())),
        f"{family}-signature": _signature(body, event_id, moment, secret),
    }


def _signature(body: bytes, event_id: str, moment: datetime, secret: str) -> str:
    try:
        return Webhook(secret).sign(event_id, moment, body.decode())
    except UnicodeDecodeError:  # the library signs text only
        key = base64.b64decode(secret.removeprefix("whsec_"))
        content = b".".join((event_id.encode(), str(int(moment.timestamp())).encode(), body))
        return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


def authorised(client_id: str | None = CLIENT_ID) -> dict[str, str]:
    """The headers of a legacy alert."""
    headers = {"Authorization": AUTHORIZATION}
    if client_id is not None:
        headers["X-Codat-ClientId"] = client_id
    return headers


def understood(body: bytes, event_id: str | None = None, *, received_at: datetime = LONG_AGO) -> Event:
    """The event that ``body`` describes."""
    return recognise(body, event_id=event_id or fresh(), received_at=received_at)
