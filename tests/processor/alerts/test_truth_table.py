"""What Codat publishes, and a small body of each of its shapes, given to the application in every way.

The meaning of each published body stands in the index beside them; they are read in place, never copied. The
effect is compared with the meaning: the answer, the status of the message, the state, and what was told.
"""

import functools
import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from flask.testing import FlaskClient
from redis import Redis

from tests.support import messages
from tests.support.effort import IN_CI
from tests.support.messages import authorised, signed
from tests.support.serving import ADDRESS, serving
from tests.support.workbench import Moving, Workbench

SAMPLES = Path(__file__).resolve().parents[4] / "shared" / "codat" / "payloads"
GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
NIL = "00000000-0000-0000-0000-000000000000"
LONG_BEFORE = datetime(2019, 1, 1, tzinfo=UTC)

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


# Small bodies of each shape, written here


def alert(rule: str, key: str, **said: object) -> bytes:
    """A legacy alert whose type stands under ``key``; in camel case where the key is."""
    body = {"AlertId": str(uuid.UUID(int=7)), key: rule, "Message": "Something happened.", **said}
    if key[0].islower():
        body = {name[0].lower() + name[1:]: value for name, value in body.items()}
    return json.dumps(body).encode()


def renamed(body: bytes, key: str) -> bytes:
    """A current body whose type stands under ``key``."""
    return body.replace(b'"eventType"', f'"{key}"'.encode())


COMPANY, CONNECTION = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))
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


def seeds(sent: Sent) -> list[bytes]:
    """What happened before, where the meaning says that something did."""
    if sent.company is None:
        return []
    given = messages.connected(sent.company, sent.connection, at=LONG_BEFORE)
    ended = messages.disconnected(sent.company, sent.connection, at=LONG_BEFORE + timedelta(days=1))
    if sent.meaning.startswith("state change: reauthorized"):
        return [given, ended]
    before = ("deleted", "unlinked", "deauthorized", "a commerce connection", "a connection of the company")
    starts = (
        *(f"state change: {item}" for item in before),
        "company: deleted",
        "read: first sync of the whole",
    )
    return [given] if sent.meaning.startswith(starts) else []


# The effect of each meaning


def outcomes(sent: Sent) -> dict[str, str]:
    """The outcome per data type that the body tells of its connection."""
    payload = sent.said.get("payload", {})
    told = {row["dataType"]: row["status"] for row in payload.get("dataTypes", [])}
    if not told:
        status = next(found_in(sent.said, "datasetstatus"), "Complete")
        told = {next(found_in(sent.said, "datatype")): status}
    return told


def check_state(sent: Sent, bench: Workbench, state: str, told: Sequence[str]) -> None:
    assert bench.state(sent.connection) == state
    assert bench.told_types(sent.connection)[-len(told) or len(told) :] == list(told)


def check_read(sent: Sent, bench: Workbench) -> None:
    """Outcomes are known; something complete proves access and, as nothing was known, the first sync."""
    stored = bench.reader.connection(sent.connection)
    assert stored is not None
    types = outcomes(sent)
    assert {name: kind.status for name, kind in stored.connection.data_types.items()} == types
    proves = "Complete" in types.values()
    assert stored.state == ("ready" if proves else "pending")
    told = ["connection.authorized", "initial_sync.completed"] if proves else []
    assert bench.told_types(sent.connection) == told


def check_doubt(sent: Sent, bench: Workbench) -> None:
    """Which connection is meant is not said: each of the company is in doubt, and none is made up."""
    assert bench.state(sent.connection) == "authorized"
    assert bench.timeline(sent.connection)[-1]["outcome"] == "doubt"


def check_nothing(sent: Sent, bench: Workbench) -> None:
    assert bench.state(sent.connection) is None
    assert bench.told(sent.connection) == []


def check_company(sent: Sent, bench: Workbench) -> None:
    assert sent.company is not None
    row = bench.reader.company(sent.company)
    assert row is not None
    assert ("deleted_at" in row) == sent.meaning.startswith("company: deleted")
    if "deleted_at" in row:
        check_state(sent, bench, "deleted", ["connection.deleted"])


def state_is(state: str, *told: str) -> Callable[[Sent, Workbench], None]:
    return lambda sent, bench: check_state(sent, bench, state, told)


SYNCED = state_is("ready", "connection.authorized", "initial_sync.completed")
EFFECTS: Mapping[str, Callable[[Sent, Workbench], None]] = {
    "none": check_nothing,
    "company": check_company,
    "state change: pending": state_is("pending"),
    "state change: authorized": state_is("authorized", "connection.authorized"),
    "state change: legacy claim PendingAuth -> Linked": state_is("authorized", "connection.authorized"),
    "state change: authorization_failed": state_is("authorization_failed", "connection.authorization_failed"),
    "state change: reauthorized": state_is("authorized", "connection.reauthorized"),
    "state change: unlinked": state_is("unlinked", "connection.unlinked"),
    "state change: deauthorized": state_is("deauthorized", "connection.deauthorized"),
    "state change: deleted": state_is("deleted", "connection.deleted"),
    "state change: a c": check_doubt,
    "read: first sync failed": state_is("sync_failed", "connection.authorized", "initial_sync.failed"),
    "read: first sync": SYNCED,
    "read: outcomes per data type": check_read,
    "read: ": check_read,
}


def effect_of(sent: Sent) -> Callable[[Sent, Workbench], None]:
    if "names no connection" in sent.meaning:
        return check_nothing
    return next(check for meaning, check in EFFECTS.items() if sent.meaning.startswith(meaning))


def test_every_body_has_the_effect_of_its_meaning(redis_url: str) -> None:
    """Of what Codat publishes 27 bodies were refused for good or did nothing: the type stood under another
    key, was a narrower one, or the nil id became a connection.
    """
    with Redis.from_url(redis_url) as store:
        check_every_body(serving(redis_url), Workbench(store, clock=Moving(datetime.now(UTC))))


def check_every_body(client: FlaskClient, bench: Workbench) -> None:
    all_sent = cases()
    for sent in all_sent:
        for number, body in enumerate(seeds(sent)):
            headers = signed(body, f"seed_{number}_{sent.event_id}")
            assert client.post(ADDRESS, data=body, headers=headers).status_code == 202
    bench.drain_all()
    statuses: dict[str, str] = {}
    for sent in all_sent:
        answer = client.post(ADDRESS, data=sent.body, headers=sent.headers)
        quarantined = sent.meaning.startswith(("none: no type", "none: a skeleton"))
        status = "quarantined" if quarantined else "accepted"
        assert (answer.status_code, answer.json["status"]) == (202, status), (sent.name, answer.text)
        statuses[answer.json["event_id"]] = "quarantined" if quarantined else "processed"
    bench.drain_all()
    wrong = []
    for sent, (event_id, status) in zip(all_sent, statuses.items(), strict=True):
        try:
            assert bench.status(event_id) == status
            effect_of(sent)(sent, bench)
        except AssertionError as error:
            wrong.append(f"{sent.name} ({sent.way}), {sent.meaning}: {error}")
    assert not wrong, "\n\n".join(wrong)
    assert bench.state(NIL) is None
