"""Finds every record that the store keeps of a company."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis import Redis

from processor.erasure import company_ids
from processor.store import keys
from processor.store.decoding import text_fields, texts

STREAM_PAGE = 1_000
CHUNK = 500
UNRECOGNISED = ("quarantined", "discarded")
"""Statuses of messages that no index assigns to a company: only the body may contain its id."""


@dataclass(slots=True)
class CompanyRecords:
    """The ids of everything that is stored of a company; ``row`` holds its own fields."""

    company_id: str
    row: dict[str, str] = field(default_factory=dict)
    connections: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    notifications: list[str] = field(default_factory=list)
    stream: list[bytes] = field(default_factory=list)
    questions: list[bytes] = field(default_factory=list)
    is_only_company: bool = False
    """Whether the merchant has no other company, so that the merchant id goes too."""

    @property
    def identifiers(self) -> tuple[str, ...]:
        """The ids and the contact address that must not be found in the store after the erasure."""
        identifiers = [self.company_id, *self.connections]
        if self.is_only_company:
            identifiers.append(self.row["merchant_id"])
        if self.row.get("contact_email"):
            identifiers.append(self.row["contact_email"])
        return tuple(dict.fromkeys(identifiers))

    @property
    def counts(self) -> dict[str, int]:
        """The number of records of each kind."""
        return {
            "companies": int(bool(self.row)),
            "connections": len(self.connections),
            "messages": len(self.events),
            "notifications": len(self.notifications),
            "stream entries": len(self.stream),
            "questions": len(self.questions),
        }


class RecordFinder:
    """Reads the store. Every method raises ``redis.RedisError`` when Redis does not answer."""

    def __init__(self, client: "Redis[Any]") -> None:
        self._client = client

    def find(self, company_id: str) -> CompanyRecords:
        """Everything that is stored of the company now."""
        records = CompanyRecords(company_id, text_fields(self._client.hgetall(keys.company(company_id))))
        records.connections = self.members(keys.company_connections(company_id))
        records.events = self.members(keys.company_events(company_id))
        unrecognised = self._unrecognised_events(company_id)
        records.events += [event_id for event_id in unrecognised if event_id not in records.events]
        records.notifications = self.notifications(records.connections)
        records.stream = list(self._stream_entries(company_id))
        records.questions = list(self._questions(company_id))
        merchant_id = records.row.get("merchant_id")
        if merchant_id is not None:
            companies = self.members(keys.merchant_companies(merchant_id))
            records.is_only_company = set(companies) <= {company_id}
        return records

    def has_records(self, company_id: str) -> bool:
        """Whether an index or a table of the store names the company; bodies are not searched."""
        indexes = (keys.companies(), keys.looks(), keys.erasures(), keys.not_shown())
        with self._client.pipeline(transaction=False) as pipe:
            for index in indexes:
                pipe.zscore(index, company_id)
            pipe.exists(
                keys.company(company_id),
                keys.company_connections(company_id),
                keys.company_events(company_id),
            )
            for table in keys.of_companies():
                pipe.hexists(table, company_id)
            pipe.sismember(keys.shown(), keys.shown_as(company_id))
            replies = pipe.execute()
        scores, flags = replies[: len(indexes)], replies[len(indexes) :]
        return any(score is not None for score in scores) or any(flags)

    def members(self, index: str) -> list[str]:
        """The members of a sorted set."""
        return texts(self._client.zrange(index, 0, -1))

    def field_values(self, names: Sequence[str], field_name: str) -> list[bytes | None]:
        """One field of each of these hashes; ``None`` where it is missing."""
        with self._client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hget(name, field_name)
            return list(pipe.execute()) if names else []

    def notifications(self, connection_ids: Iterable[str]) -> list[str]:
        """The ids of the notifications of these connections."""
        return [
            notification_id
            for connection_id in connection_ids
            for notification_id in self.members(keys.outbox_of(connection_id))
        ]

    def _unrecognised_events(self, company_id: str) -> Iterator[str]:
        """Unrecognised messages whose bodies contain the company's id.

        The search is made only for an id that cannot be a common word: a UUID, or one in our indexes.
        """
        if not company_ids.is_uuid(company_id) and not self.has_records(company_id):
            return
        for status in UNRECOGNISED:
            for event_ids in chunks(self.members(keys.events_of(status))):
                bodies = self.field_values([keys.event(event_id) for event_id in event_ids], "body")
                for event_id, body in zip(event_ids, bodies, strict=True):
                    if body is not None and company_ids.names_company(body, company_id):
                        yield event_id

    def _stream_entries(self, company_id: str) -> Iterator[bytes]:
        quoted_id, start = json.dumps(company_id).encode(), "-"
        while rows := self._client.xrange(keys.stream(), min=start, count=STREAM_PAGE):
            for entry_id, fields in rows:
                body = fields.get(b"notification", b"")
                if quoted_id in body and json.loads(body)["data"]["company_id"] == company_id:
                    yield entry_id
            start = f"({rows[-1][0].decode()}"

    def _questions(self, company_id: str) -> Iterator[bytes]:
        members = {member for member, _ in self._client.zscan_iter(keys.questions(), count=1_000)}
        for table in (keys.question_details(), keys.questions_again()):
            members |= {name for name, _ in self._client.hscan_iter(table, count=1_000)}
        for member in members:
            if json.loads(member)[1] == company_id:
                yield member


def chunks(rows: Sequence[Any]) -> Iterator[list[Any]]:
    """The rows in lists of at most ``CHUNK``."""
    for start in range(0, len(rows), CHUNK):
        yield list(rows[start : start + CHUNK])
