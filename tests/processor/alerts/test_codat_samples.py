"""Every body that Codat publishes leads to what the facts say; read in place, never copied."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from handlers import events
from handlers.events import Event, LinkStatus, Source
from processor.alerts.dialects import recognise

SAMPLES = Path(__file__).resolve().parents[4] / "shared" / "codat" / "payloads"
RECEIVED_AT = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
NAMES_ONE, NAMES_NONE = 1, 0

# file → class, how many connections it names, further attributes
EXPECTED: dict[str, tuple[type[Event], int, dict[str, Any]]] = {
    "current/client.rateLimit.reached.json": (
        events.RateLimitReached,
        NAMES_NONE,
        {"company": None, "expires_at": datetime(2024, 9, 1, 12, 14, 14, tzinfo=UTC)},
    ),
    "current/client.rateLimit.reset.json": (events.RateLimitReset, NAMES_NONE, {"company": None}),
    "current/company.created.json": (events.CompanyCreated, NAMES_NONE, {}),
    "current/company.deleted.json": (events.CompanyDeleted, NAMES_NONE, {"concerns_whole_company": True}),
    "current/company.product.added.json": (events.OtherHappened, NAMES_NONE, {}),
    "current/company.product.removed.json": (events.OtherHappened, NAMES_NONE, {}),
    "current/connection.created.json": (events.ConnectionCreated, NAMES_ONE, {}),
    "current/connection.connected.json": (events.ConnectionLinked, NAMES_ONE, {}),
    "current/connection.reconnected.json": (events.ConnectionRelinked, NAMES_ONE, {}),
    "current/connection.failed.json": (
        events.ConnectionFailed,
        NAMES_ONE,
        {"problem": events.Problem("403", "User cancelled linking", "User cancelled")},
    ),
    "current/connection.disconnected.1.json": (
        events.ConnectionEnded,
        NAMES_ONE,
        {"reason": LinkStatus.UNLINKED, "problem": None},
    ),
    "current/connection.disconnected.2.json": (
        events.ConnectionEnded,
        NAMES_ONE,
        {"reason": LinkStatus.DEAUTHORIZED},
    ),
    "current/connection.deleted.json": (events.ConnectionDeleted, NAMES_ONE, {}),
    "current/read.completed.1.json": (events.ReadCompleted, NAMES_ONE, {}),
    "current/read.completed.2.json": (events.ReadCompleted, NAMES_ONE, {}),
    "current/read.completed.initial.1.json": (events.InitialReadCompleted, NAMES_ONE, {}),
    "current/read.completed.initial.2.json": (events.InitialReadCompleted, NAMES_ONE, {}),
    "current/dataType-.write.successful.1.json": (events.OtherHappened, NAMES_ONE, {}),
    "current/dataType-.write.successful.2.json": (events.OtherHappened, NAMES_ONE, {}),
    "current/dataType-.write.unsuccessful.1.json": (events.OtherHappened, NAMES_ONE, {}),
    "current/dataType-.write.unsuccessful.2.json": (events.OtherHappened, NAMES_ONE, {}),
    "current/dataType-.write.unsuccessful.3.json": (events.OtherHappened, NAMES_ONE, {}),
    "legacy/account-categories-updated.json": (events.OtherHappened, NAMES_ONE, {}),
    "legacy/client-rate-limit-reached.json": (
        events.RateLimitReached,
        NAMES_NONE,
        {"company": None, "expires_at": datetime(2023, 5, 3, tzinfo=UTC)},
    ),
    "legacy/client-rate-limit-reset.json": (events.RateLimitReset, NAMES_NONE, {"company": None}),
    "legacy/company-data-connection-status-changed.json": (
        events.LinkStatusClaimed,
        NAMES_ONE,
        {"old": LinkStatus.PENDING, "new": LinkStatus.LINKED},
    ),
    "legacy/data-sync-completed.json": (events.ReadCompleted, NAMES_ONE, {}),
    "legacy/dataset-data-changed.json": (events.ReadCompleted, NAMES_ONE, {}),
    "legacy/dataset-status-has-changed-to-an-error-state.json": (events.ReadCompleted, NAMES_ONE, {}),
    "legacy/expenses-sync-completed.json": (events.OtherHappened, NAMES_NONE, {}),
    "legacy/expenses-sync-failed.json": (events.OtherHappened, NAMES_NONE, {}),
    "legacy/new-company-synchronized.json": (
        events.InitialReadClaimed,
        NAMES_ONE,
        {"concerns_whole_company": False},
    ),
    "legacy/push-operation-has-timed-out.json": (events.OtherHappened, NAMES_ONE, {}),
    "legacy/push-operation-status-has-changed.json": (events.OtherHappened, NAMES_ONE, {}),
    "legacy/sync-connection-deleted.json": (
        events.DeletionClaimed,
        NAMES_NONE,
        {"concerns_whole_company": True},
    ),
}

needs_samples = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="Codat's sample bodies are not on this machine"
)


def recognised(name: str) -> Event:
    return recognise((SAMPLES / name).read_bytes(), event_id="msg_1", received_at=RECEIVED_AT)


@needs_samples
@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_leads_to_what_the_facts_say(name: str) -> None:
    said = json.loads((SAMPLES / name).read_text())
    event = recognised(name)
    kind, connections, attributes = EXPECTED[name]
    assert type(event) is kind
    assert len(event.connection_ids) == connections
    assert {attribute: getattr(event, attribute) for attribute in attributes} == attributes
    assert (event.event_id, event.received_at) == ("msg_1", RECEIVED_AT)
    if name.startswith("current/"):
        assert (event.source, event.event_type, event.timed) == (Source.CURRENT, said["eventType"], True)
        assert event.at < RECEIVED_AT
    else:
        assert (event.source, event.event_type, event.timed) == (Source.LEGACY, said["RuleType"], False)
        assert event.at == RECEIVED_AT


@needs_samples
@pytest.mark.parametrize(
    "name", [name for name in EXPECTED if "ate-limit" not in name and "ateLimit" not in name]
)
def test_a_sample_about_a_company_names_it(name: str) -> None:
    said = json.loads((SAMPLES / name).read_text())
    event = recognised(name)
    assert event.company is not None
    if name.startswith("legacy/"):
        assert event.company == events.Company(said["CompanyId"])
    else:
        named = said["payload"].get("referenceCompany", said["payload"])
        assert event.company == events.Company(named["id"], named["name"], named.get("tags", {}))


@needs_samples
def test_the_samples_of_reads_keep_status_and_data_type() -> None:
    for name in ("current/read.completed.1.json", "current/read.completed.initial.2.json"):
        event = recognised(name)
        assert isinstance(event, events.ReadCompleted)
        assert [(read.data_type, read.status) for read in event.reads] == [("invoices", "Complete")]
    failed = recognised("legacy/dataset-status-has-changed-to-an-error-state.json")
    assert isinstance(failed, events.ReadCompleted)
    assert [(read.data_type, read.status) for read in failed.reads] == [("invoices", "ProcessingError")]


@needs_samples
def test_the_sample_of_a_deletion_says_linked_and_is_a_deletion_nonetheless() -> None:
    event = recognised("current/connection.deleted.json")
    assert isinstance(event, events.ConnectionDeleted)
    assert event.connection.status is LinkStatus.LINKED
    assert (event.connection.platform_key, event.connection.platform_name) == ("dfxm", "Basiq")
    assert event.connection.source_type == "Banking"
