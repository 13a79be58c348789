"""One message of each generation, and how the tests of the dialects read it."""

import json
from datetime import UTC, datetime
from typing import Any

from handlers.events import Event
from processor.alerts.dialects import recognise

RECEIVED_AT = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
OUR_MISTAKE = "mistake of ours"
CURRENT: dict[str, Any] = {
    "id": "1",
    "eventType": "connection.connected",
    "generatedDate": "2026-11-22T14:59:00Z",
    "payload": {
        "referenceCompany": {"id": "company-1", "name": "Corner Shop", "tags": {"merchantId": "m-1"}},
        "connection": {
            "id": "connection-1",
            "integrationKey": "gbol",
            "status": "Linked",
            "dataConnectionErrors": [
                {"statusCode": "1", "status": "Active", "erroredOnUtc": "2026-11-22T14:00:00Z"}
            ],
        },
        "dataTypes": [
            {"connectionId": "c-1", "dataType": "bills", "status": "Complete", "issues": [{"message": "m"}]}
        ],
    },
}
LEGACY: dict[str, Any] = {
    "RuleType": "DataConnectionStatusChanged",
    "CompanyId": "company-1",
    "DataConnectionId": "connection-1",
    "Message": "Something happened",
    "Data": {
        "newStatus": "Linked",
        "oldStatus": "PendingAuth",
        "dataType": "bills",
        "companyName": "Corner Shop",
    },
}
BODY = json.dumps(CURRENT).encode()


def recognised(body: bytes) -> Event:
    return recognise(body, event_id="msg_1", received_at=RECEIVED_AT)
