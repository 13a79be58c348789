"""The bodies of the truth table: what Codat publishes, and a small one of each shape, with their meanings."""

import functools
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tests.support import messages
from tests.support.effort import IN_CI
from tests.support.messages import authorised, signed

SAMPLES = Path(__file__).resolve().parents[4] / "shared" / "codat" / "payloads"
GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
NIL = "00000000-0000-0000-0000-000000000000"


# Samples without a letter are not in the index; what they mean stands in the facts by their type.
WITHOUT_A_LETTER = {
    "client.rateLimit": "none: quota",
    "client-rate-limit": "none: quota",
    "company.created": "company: created",
    "company.deleted": "company: deleted, with all connections",
    "connection.connected": "state change: authorized",
    "connection.created": "state change: pending",
    "connection.deleted": "state change: deleted",
    "connection.disconnected.1": "state change: unlinked",
    "connection.disconnected.2": "state change: deauthorized",
    "connection.failed": "state change: authorization_failed",
    "connection.reconnected": "state change: reauthorized",
    "read.completed.initial": "read: first sync complete",
    "read.completed": "read: outcomes per data type",
    "company-data-connection-status-changed": "state change: legacy claim PendingAuth -> Linked",
    "data-sync-completed": "read: one data type Complete",
    "dataset-data-changed": "read: one data type Complete",
    "dataset-status-has-changed": "read: one data type ProcessingError",
    "new-company-synchronized": "read: first sync of the connection complete (legacy claim)",
    "sync-connection-deleted": "state change: a commerce connection of the company was deleted",
}


@dataclass(frozen=True)
class Sent:
    """One body, sent in one way: what it means, and how it was answered."""

    name: str
    body: bytes
    meaning: str
    way: str
    said: dict[str, Any]
    company: str | None
    connection: str

    @property
    def event_id(self) -> str:
        return f"msg_{uuid.uuid5(uuid.NAMESPACE_URL, self.name + self.way)}"

    @property
    def headers(self) -> dict[str, str]:
        if self.way == "authorization":
            return authorised()
        family = "svix" if self.way == "svix" else "webhook"
        both = authorised() if self.way == "both" else {}
        return {**both, **signed(self.body, self.event_id, family=family)}


def found_in(said: object, *names: str) -> Iterator[str]:
    """The texts under these keys (in lower case), wherever they stand."""
    if isinstance(said, list):
        for item in said:
            yield from found_in(item, *names)
    elif isinstance(said, dict):
        for key, value in said.items():
            if key.lower() in names and isinstance(value, str) and value:
                yield value
            else:
                yield from found_in(value, *names)


def of_way(name: str, body: bytes, meaning: str, way: str) -> Sent:
    """The body with ids of its own, so that no two of them meet."""

    def fresh(found: re.Match[str]) -> str:
        made = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name} {way} {found.group().lower()}"))
        return NIL if found.group() == NIL else made.upper() if found.group().isupper() else made

    own = GUID.sub(fresh, body.decode(errors="surrogateescape")).encode(errors="surrogateescape")
    own += b" " * (sum(f"{name}{way}".encode()) % 1_000)  # of bodies without ids no two are the same bytes
    try:
        fields = json.loads(own)
    except ValueError:
        fields = {}
    fields = fields if isinstance(fields, dict) else {}
    payload = fields.get("payload")
    payload = payload if isinstance(payload, dict) else {}
    companies = [
        payload.get("referenceCompany", payload).get("id"),
        *found_in({key: value for key, value in fields.items() if key.lower() == "companyid"}, "companyid"),
    ]
    connections = [
        *[item for item in [payload.get("connection", {}).get("id")] if item],
        *found_in(fields, "connectionid", "dataconnectionid"),
    ]
    named = next((item for item in connections if item != NIL), None)
    return Sent(
        name,
        own,
        meaning,
        way,
        fields,
        company=next((item.lower() for item in companies if item), None),
        connection=(named or str(uuid.uuid5(uuid.NAMESPACE_URL, f"seed {name} {way}"))).lower(),
    )


COMPANY, CONNECTION = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))


def alert(rule: str, key: str, **said: object) -> bytes:
    """A legacy alert whose type stands under ``key``; in camel case where the key is."""
    body = {"AlertId": str(uuid.UUID(int=7)), key: rule, "Message": "Something happened.", **said}
    if key[0].islower():
        body = {name[0].lower() + name[1:]: value for name, value in body.items()}
    return json.dumps(body).encode()


def renamed(body: bytes, key: str) -> bytes:
    """A current body whose type stands under ``key``."""
    return body.replace(b'"eventType"', f'"{key}"'.encode())


READ = functools.partial(messages.read, COMPANY, CONNECTION)
CLAIM = {"newStatus": "Linked", "oldStatus": "PendingAuth", "dataConnectionId": CONNECTION}
COMPANY_ALONE = {"CompanyId": COMPANY, "RuleId": str(uuid.UUID(int=9))}
BOTH = {"CompanyId": COMPANY, "DataConnectionId": CONNECTION}


def of_type(event_type: str, body: bytes) -> bytes:
    """The body under another event type."""
    return json.dumps({**json.loads(body), "eventType": event_type}).encode()


OWN: dict[str, tuple[bytes, str]] = {
    **{
        f"current/{kind} under {key}": (renamed(body, key), f"state change: {state}")
        for key in ("eventType", "type", "Type")
        for kind, (body, state) in {
            "created": (messages.created(COMPANY, CONNECTION), "pending"),
            "connected": (messages.connected(COMPANY, CONNECTION), "authorized"),
            "reconnected": (messages.reconnected(COMPANY, CONNECTION), "reauthorized"),
            "failed": (messages.failed(COMPANY, CONNECTION), "authorization_failed"),
            "revoked": (messages.disconnected(COMPANY, CONNECTION), "deauthorized"),
            "given up": (messages.disconnected(COMPANY, CONNECTION, status="Unlinked"), "unlinked"),
            "deleted": (messages.deleted(COMPANY, CONNECTION), "deleted"),
        }.items()
    },
    **{
        f"legacy/status under {key}": (
            alert("Data connection status changed".replace(" ", ""), key, **BOTH, Data=CLAIM),
            "state change: legacy claim PendingAuth -> Linked",
        )
        for key in ("RuleType", "ruleType", "Type", "type")
    },
    **{
        f"legacy/new company under {key}": (
            alert("New company synchronised", key, **COMPANY_ALONE),
            "read: first sync of the whole company complete (legacy claim)",
        )
        for key in ("RuleType", "Type", "type")
    },
    "legacy/a migrated rule without RuleId": (
        alert("NewCompanySynchronized", "RuleType", **BOTH),
        "read: first sync of the connection complete (legacy claim)",
    ),
    "legacy/a legacy type as an event type": (
        alert("NewCompanySynchronized", "eventType", **BOTH, Data={}),
        "read: first sync of the connection complete (legacy claim)",
    ),
    **{
        f"legacy/deleted, {name}": (
            alert("Sync Connection Deleted", "RuleType", CompanyId=COMPANY, **cast(Any, item)),
            "state change: a commerce connection of the company was deleted",
        )
        for name, item in {"not said": {}, "nil": {"DataConnectionId": NIL}, "null": {"Data": None}}.items()
    },
    "legacy/status of the nil connection": (
        alert(
            "DataConnectionStatusChanged",
            "RuleType",
            CompanyId=COMPANY,
            DataConnectionId=NIL,
            Data=CLAIM | {"dataConnectionId": NIL},
        ),
        "state change: a connection of the company, which one is not said",
    ),
    "current/connected of the nil connection": (
        messages.connected(COMPANY, NIL),
        "state change: a connection of the company, which one is not said",
    ),
    "current/a read of the nil connection": (
        messages.read(COMPANY, NIL),
        "read: invoices Complete (names no connection: recorded only)",
    ),
    "legacy/data sync completed": (
        alert("DataSyncCompleted", "RuleType", **BOTH, Data={"dataType": "bills"}),
        "read: bills Complete",
    ),
    "legacy/data sync failed": (
        alert(
            "Data Sync Status Changed To Error",
            "Type",
            **BOTH,
            Data={"dataType": "bills", "datasetStatus": "MapError"},
        ),
        "read: bills MapError",
    ),
    **{
        f"current/{kind}": (of_type(kind, READ()), "read: outcomes per data type")
        for kind in (
            "read.completed",
            "Read.Completed",
            "read.completed.successful",
            "my-product.read.completed",
            "my-product.read.completed.successful",
        )
    },
    **{
        f"current/{kind}": (of_type(kind, READ({"bills": "FetchError"})), "read: outcomes per data type")
        for kind in ("read.completed.unsuccessful", "my-product.read.completed.unsuccessful")
    },
    **{
        f"current/{kind}": (of_type(kind, READ()), "read: first sync complete")
        for kind in ("read.completed.initial", "read.completed.successful.initial")
    },
    "current/a first read with an unknown status": (
        messages.initial_read(COMPANY, CONNECTION, types={"bills": "Error"}),
        "read: first sync failed",
    ),
    "current/a first read with no status": (
        messages.initial_read(COMPANY, CONNECTION, types={"bills": "Error"}).replace(b'"Error"', b"null"),
        "read: first sync failed",
    ),
    "current/a first read, partly of an unknown status": (
        messages.initial_read(COMPANY, CONNECTION, types={"bills": "Error", "invoices": "complete"}),
        "read: first sync complete",
    ),
    **{
        f"current/{kind}": (of_type(kind, READ()), "none: not a type of ours")
        for kind in ("unread.completed", "read.completed.somehow", "read.completedness", "xread.completed")
    },
    "current/a write": (messages.other(company_id=COMPANY), "none: recorded"),
    "legacy/a push": (alert("Push Operation Status Changed", "Type", **COMPANY_ALONE), "none: recorded"),
    "current/company created": (messages.company("company.created", COMPANY), "company: created"),
    "current/company deleted": (
        renamed(messages.company("company.deleted", COMPANY), "type"),
        "company: deleted, with all connections",
    ),
    "current/quota": (messages.current("client.rateLimit.reached", {"expiryDate": None}), "none: quota"),
    "current/no type": (b'{"companyId": "c", "bankAccount": {}}', "none: no type at all"),
    "current/a type alone": (b'{"type": "connection.connected"}', "none: no type at all"),
    "current/a skeleton": (messages.current("company.created", {}), "none: a skeleton"),
    "current/no JSON": (b"eventType=connection.connected", "none: no type at all"),
    "current/no UTF-8": (b'{"eventType": "\xff"}', "none: no type at all"),
}


def published() -> Iterator[tuple[str, bytes, str]]:
    """The published bodies with their meanings, where they are on this machine."""
    if not SAMPLES.is_dir():
        return
    rows = (line.split("|") for line in (SAMPLES / "INDEX.md").read_text().splitlines())
    index = {
        row[1].strip(): row[3].strip() for row in rows if len(row) > 4 and row[1].strip().endswith(".json")
    }
    paths = sorted(SAMPLES.rglob("*.json"))
    assert set(index) <= {path.relative_to(SAMPLES).as_posix() for path in paths}
    for path in paths:
        begins = (meaning for kind, meaning in WITHOUT_A_LETTER.items() if path.name.startswith(kind))
        name = path.relative_to(SAMPLES).as_posix()
        yield name, path.read_bytes(), index.get(name) or next(begins, "none: recorded")


def cases() -> list[Sent]:
    """Every body in every way in which it can be authentic; at a desk in one of them, each in turn."""
    result = []
    bodies = (*((name, *row) for name, row in OWN.items()), *published())
    for position, (name, body, meaning) in enumerate(bodies):
        ways = ("webhook", "svix", "authorization", *(["both"] if name.startswith("legacy/") else []))
        tried = ways if IN_CI else (ways[position % len(ways)],)
        result += [of_way(name, body, meaning, way) for way in tried]
    return result
