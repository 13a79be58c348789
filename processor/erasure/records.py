"""Finds every record that the store keeps of a company."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from redis import Redis

from processor.erasure import company_ids
from processor.store import each_cell, keys
from processor.store.decoding import text_fields, texts
from processor.store.encryption import KeyMissing, decrypt
from processor.store.inbox import UNRECOGNISED, UNRECOGNISED_STATUSES
from processor.store.message_records import MessageRecord, load_anything, unpack_content
from processor.store.records import members
from processor.store.round_trip import chunks
from processor.store.visit_steps import VisitStep

STREAM_PAGE = 1_000


@dataclass(slots=True)
class CompanyRecords:
    """The ids of everything that is stored of a company; ``row`` holds its own fields.

    ``unrecognised`` are messages that no index assigns to a company, and whose bodies contain its id.
    ``stream_end`` is up to where ``stream`` was read.
    """

    company_id: str
    row: dict[str, str] = field(default_factory=dict)
    connections: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    unrecognised: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    """The ids of the company's people; their addresses may be those of people of other companies too."""

    notifications: list[str] = field(default_factory=list)
    stream: list[bytes] = field(default_factory=list)
    stream_end: str = "-"
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
        identifiers += self.people
        return tuple(dict.fromkeys(identifiers))

    @property
    def counts(self) -> dict[str, int]:
        """The number of records of each kind."""
        return {
            "companies": int(bool(self.row)),
            "connections": len(self.connections),
            "messages": len(self.events) + len(self.unrecognised),
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
        if contact := records.row.get("contact_email"):
            with contextlib.suppress(KeyMissing):  # erased all the same
                records.row["contact_email"] = decrypt(contact)
        records.people = texts(self._client.hkeys(keys.people(company_id)))
        records.connections = list(members(records.row))
        records.events = self.members(keys.company_events(company_id))
        records.unrecognised = list(self._unrecognised_events(company_id))
        cell = keys.cell_of(company_id)
        records.notifications = self.notifications(cell, [company_id, *records.connections])
        self.read_stream(records)
        records.questions = list(self._questions(company_id))
        merchant_id = records.row.get("merchant_id")
        if merchant_id is not None:
            companies = each_cell.replies(
                self._client,
                lambda pipe, cell: pipe.zrange(keys.merchant_companies(cell, merchant_id), 0, -1),
            )
            records.is_only_company = set(texts(chain(*companies))) <= {company_id}
        return records

    def has_records(self, company_id: str) -> bool:
        """Whether an index or a table of the store names the company; bodies are not searched."""
        cell = keys.cell_of(company_id)
        indexes = (
            *(keys.companies(cell), keys.looks(cell), keys.erasures(cell), keys.not_shown(cell)),
            keys.reminders(cell),
            keys.visit_steps(cell, VisitStep.OPENED),
        )
        with self._client.pipeline(transaction=False) as pipe:
            for index in indexes:
                pipe.zscore(index, company_id)
            pipe.exists(keys.company(company_id), keys.company_events(company_id))
            for table in keys.of_companies(cell):
                pipe.hexists(table, company_id)
            pipe.sismember(keys.shown(cell), keys.shown_as(company_id))
            replies = pipe.execute()
        scores, flags = replies[: len(indexes)], replies[len(indexes) :]
        return any(score is not None for score in scores) or any(flags)

    def members(self, index: str) -> list[str]:
        """The members of a sorted set."""
        return texts(self._client.zrange(index, 0, -1))

    def messages(self, cell: int, event_ids: Sequence[str]) -> Iterator[tuple[str, MessageRecord]]:
        """Those of the messages that are stored, with their ids."""
        for some_ids in chunks(event_ids):
            rows = self._client.hmget(keys.messages(cell), some_ids)
            for event_id, row in zip(some_ids, rows, strict=True):
                if row is not None:
                    yield event_id, load_anything(row)

    def notifications(self, cell: int, ids: Iterable[str]) -> list[str]:
        """The ids of the notifications about these connections, or companies, of a cell."""
        return [notification_id for id_ in ids for notification_id in self.members(keys.outbox_of(cell, id_))]

    def read_stream(self, records: CompanyRecords) -> None:
        """Read the rest of the stream, and add the entries of the company."""
        company_id = records.company_id
        quoted_id = json.dumps(company_id).encode()
        while rows := self._client.xrange(keys.stream(), min=records.stream_end, count=STREAM_PAGE):
            for entry_id, fields in rows:
                body = fields.get(b"notification", b"")
                if quoted_id in body and json.loads(body)["data"]["company_id"] == company_id:
                    records.stream.append(entry_id)
            records.stream_end = f"({rows[-1][0].decode()}"

    def _unrecognised_events(self, company_id: str) -> Iterator[str]:
        """Unrecognised messages whose bodies contain the company's id.

        The search is made only for an id that cannot be a common word: a UUID, or one in our indexes.
        """
        if not company_ids.is_uuid(company_id) and not self.has_records(company_id):
            return
        for status in UNRECOGNISED_STATUSES:
            for event_ids in chunks(self.members(keys.events_of(UNRECOGNISED, status))):
                for event_id, record in self.messages(UNRECOGNISED, event_ids):
                    if company_ids.names_company(unpack_content(record.content)[1], company_id):
                        yield event_id

    def _questions(self, company_id: str) -> Iterator[bytes]:
        cell = keys.cell_of(company_id)
        members = {member for member, _ in self._client.zscan_iter(keys.questions(cell), count=1_000)}
        for table in (keys.question_details(cell), keys.questions_again(cell)):
            members |= {name for name, _ in self._client.hscan_iter(table, count=1_000)}
        for member in members:
            if json.loads(member)[1] == company_id:
                yield member
