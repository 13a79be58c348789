"""Connections as JSON and back. Empty fields are omitted; unknown fields are ignored."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from handlers.connection import Check, Connection, LedgerEntry
from handlers.events import LinkStatus, Problem
from handlers.facts import Claim, DataType, Fact, FactKind
from handlers.fold import START, AuthorizationHistory, Link


def dump(connection: Connection) -> bytes:
    """The JSON document of ``connection``."""
    return json.dumps(_dump_connection(connection), separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )


def load(raw: bytes) -> Connection:
    """The inverse of ``dump``."""
    doc = json.loads(raw)
    return Connection(
        id=doc["id"],
        company_id=doc.get("company_id"),
        merchant_id=doc.get("merchant_id"),
        platform_key=doc.get("platform_key"),
        platform_name=doc.get("platform_name"),
        source_type=doc.get("source_type"),
        integration_id=doc.get("integration_id"),
        account_name=doc.get("account_name"),
        on_premise=doc.get("on_premise"),
        nothing_queued_at=_time(doc.get("nothing_queued_at")),
        described_at=_time(doc.get("described_at")),
        facts=tuple(_load_fact(fact) for fact in doc.get("facts", ())),
        base=_load_history(doc["base"]) if "base" in doc else START,
        compacted_until=_time(doc.get("floor")),
        data_types={
            name: DataType(name, status, _required_time(at), timed, progress, message)
            for name, (status, at, timed, progress, message) in doc.get("data_types", {}).items()
        },
        claims=tuple(
            Claim(
                event_id,
                _required_time(arrived_at),
                _required_time(since),
                _status(old),
                _status(new),
                *ordinary,
            )
            for event_id, arrived_at, since, old, new, *ordinary in doc.get("claims", ())
        ),
        checks=tuple(
            Check(kind, _required_time(at), _required_time(since), previous)
            for kind, at, since, previous in doc.get("checks", ())
        ),
        ledger=tuple(
            LedgerEntry(kind, _required_time(at), id_, is_observed)
            for kind, at, id_, is_observed in doc.get("ledger", ())
        ),
    )


def _dump_connection(connection: Connection) -> dict[str, Any]:
    doc: dict[str, Any] = {
        "id": connection.id,
        "company_id": connection.company_id,
        "merchant_id": connection.merchant_id,
        "platform_key": connection.platform_key,
        "platform_name": connection.platform_name,
        "source_type": connection.source_type,
        "integration_id": connection.integration_id,
        "account_name": connection.account_name,
        "on_premise": connection.on_premise,
        "nothing_queued_at": _stamp(connection.nothing_queued_at),
        "described_at": _stamp(connection.described_at),
        "facts": [_dump_fact(fact) for fact in connection.facts],
        "base": None if connection.base == START else _dump_history(connection.base),
        "floor": _stamp(connection.compacted_until),
        "data_types": {
            name: [kind.status, _stamp(kind.at), kind.timed, kind.progress, kind.message]
            for name, kind in connection.data_types.items()
        },
        "claims": [
            [
                claim.event_id,
                _stamp(claim.arrived_at),
                _stamp(claim.since),
                claim.old,
                claim.new,
                claim.ordinary,
            ]
            for claim in connection.claims
        ],
        "checks": [
            [check.kind, _stamp(check.at), _stamp(check.since), check.previous_state]
            for check in connection.checks
        ],
        "ledger": [
            [entry.kind, _stamp(entry.at), entry.id, entry.is_observed] for entry in connection.ledger
        ],
    }
    return {name: value for name, value in doc.items() if value not in (None, [], {})}


def _dump_fact(fact: Fact) -> dict[str, Any]:
    doc: dict[str, Any] = {
        "kind": fact.kind,
        "at": _stamp(fact.at),
        "known_at": _stamp(fact.known_at),
        "event_id": fact.event_id,
    }
    if fact.status is not None:
        doc["status"] = fact.status
    if fact.types:
        doc["types"] = fact.types
    if fact.problem is not None:
        problem = fact.problem
        doc["problem"] = [problem.status_code, problem.status_text, problem.message]
    if fact.claimed:
        doc["claimed"] = True
    if fact.old is not None:
        doc["old"] = fact.old
    if fact.requested:
        doc["requested"] = [(name, _stamp(at)) for name, at in fact.requested]
    return doc


def _load_fact(doc: Mapping[str, Any]) -> Fact:
    return Fact(
        kind=FactKind(doc["kind"]),
        at=_required_time(doc["at"]),
        known_at=_required_time(doc["known_at"]),
        event_id=doc["event_id"],
        status=_status(doc.get("status")),
        types=tuple((name, status) for name, status in doc.get("types", ())),
        problem=Problem(*doc["problem"]) if "problem" in doc else None,
        claimed=doc.get("claimed", False),
        old=_status(doc.get("old")),
        requested=tuple((name, _required_time(at)) for name, at in doc.get("requested", ())),
    )


def _dump_history(history: AuthorizationHistory) -> dict[str, Any]:
    return {
        "link": history.link,
        "authorization": history.authorization,
        "begun": history.begun and _dump_fact(history.begun),
        "begun_at": _stamp(history.begun_at),
        "floor": _stamp(history.previous_end_at),
        "ended": history.ended and _dump_fact(history.ended),
        "kept": [_dump_fact(fact) for fact in history.initial_reads],
        "aside": [_dump_fact(fact) for fact in history.orphaned_reads],
        "failed": history.failed and _dump_fact(history.failed),
        "deleted": history.deleted and _dump_fact(history.deleted),
    }


def _load_history(doc: Mapping[str, Any]) -> AuthorizationHistory:
    def fact(name: str) -> Fact | None:
        return _load_fact(doc[name]) if doc.get(name) else None

    return AuthorizationHistory(
        link=Link(doc["link"]),
        authorization=doc["authorization"],
        begun=fact("begun"),
        begun_at=_time(doc.get("begun_at")),
        previous_end_at=_time(doc.get("floor")),
        ended=fact("ended"),
        initial_reads=tuple(_load_fact(row) for row in doc["kept"]),
        orphaned_reads=tuple(_load_fact(row) for row in doc["aside"]),
        failed=fact("failed"),
        deleted=fact("deleted"),
    )


def _status(value: str | None) -> LinkStatus | None:
    return None if value is None else LinkStatus(value)


def _stamp(moment: datetime | None) -> int | None:
    """Microseconds since 1970, without rounding."""
    if moment is None:
        return None
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def _time(stamp: int | None) -> datetime | None:
    return None if stamp is None else _required_time(stamp)


def _required_time(stamp: int) -> datetime:
    seconds, micros = divmod(stamp, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
