"""Notes to the caller about platforms that users miss: kept, bounded, and told once each."""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from redis import Redis

from handlers.milestones import JourneyNotificationType, Notification
from processor.clock import to_iso
from processor.errors import Conflict, Invalid, NotFound
from processor.humanize import printable_line
from processor.journey.events import CompanyFields
from processor.journey.field_checks import text_error
from processor.journey.search import normalized
from processor.store import keys, outbox
from processor.store.decoding import texts
from processor.store.waker import Waker

MOST_REQUESTS = 20
"""Platforms that may be missed for one company."""

LONGEST_NAME = 100
LONGEST_NOTE = 500


class PlatformRequests:
    """Keeps the notes with the company, until that is erased. Every method may raise ``redis.RedisError``."""

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        waker: Waker,
        clock: Callable[[], datetime],
    ) -> None:
        self._client, self._waker, self._clock = client, waker, clock

    def add(self, company: CompanyFields, name: str, note: str | None = None) -> tuple[dict[str, Any], bool]:
        """Keep that a platform is missed, and tell it; the row, and whether it is new.

        A name that is known in another spelling of case, accents and blanks is told no second time. Raises
        :class:`Invalid` by field, :class:`Conflict` after ``MOST_REQUESTS``, and :class:`NotFound` if the
        company was erased meanwhile.
        """
        name, note = printable_line(name), printable_line(note) or None
        mistakes = {"name": text_error(name, LONGEST_NAME), "note": note and text_error(note, LONGEST_NOTE)}
        if errors := {field: [mistake] for field, mistake in mistakes.items() if mistake}:
            raise Invalid(errors=errors)
        company_id, now = company["id"], self._clock()
        row = {
            "id": _id_of(company_id, name),
            "at": to_iso(now),
            "company_id": company_id,
            "name": name,
            "note": note,
        }
        stored_as, table = keys.company(company_id), keys.platform_requests(company_id)
        notification = _notification(company, row, now)

        def save(pipe: Any) -> dict[str, Any] | None:
            known, count = pipe.hget(table, row["id"]), pipe.hlen(table)
            is_known_company = pipe.exists(stored_as)
            pipe.multi()
            if not is_known_company:
                raise NotFound("There is no company with this id.")
            if known is not None:
                return dict(json.loads(known))
            if count >= MOST_REQUESTS:
                raise Conflict(f"At most {MOST_REQUESTS} platforms can be asked for.")
            pipe.hset(table, row["id"], json.dumps(row, ensure_ascii=False))
            outbox.write(pipe, keys.cell_of(company_id), [notification])
            return None

        known = self._client.transaction(  # type: ignore[no-untyped-call]
            save, stored_as, table, value_from_callable=True
        )
        if known is not None:
            return known, False
        self._waker.wake_dispatcher()
        return row, True

    def of_company(self, company_id: str) -> list[dict[str, Any]]:
        """The notes of a company, newest first."""
        rows = [json.loads(row) for row in texts(self._client.hvals(keys.platform_requests(company_id)))]
        return sorted(rows, key=lambda row: (row["at"], row["id"]), reverse=True)


def _id_of(company_id: str, name: str) -> str:
    """An id that is the same for every spelling of a name."""
    letters = "".join(character for character in normalized(name) if character.isalnum()) or name
    return "plr_" + hashlib.sha256(f"{company_id}\n{letters}".encode()).hexdigest()[:24]


def _notification(company: CompanyFields, row: Mapping[str, Any], now: datetime) -> Notification:
    """The notification of a note: it has the members of every notification, and its own two."""
    return Notification(
        id="ntf_" + hashlib.sha256(row["id"].encode()).hexdigest()[:32],
        type=JourneyNotificationType.PLATFORM_REQUESTED,
        timestamp=now,
        data={
            "merchant_id": company.get("merchant_id"),
            "company_id": company["id"],
            "connection_id": None,
            "platform_key": None,
            "platform_name": row["name"],
            "source_type": None,
            "account_name": None,
            "state": None,
            "previous_state": None,
            "authorization": 0,
            "authorized_at": None,
            "occurred_at": now,
            "event_id": None,
            "expected": False,
            "data_types": {"complete": [], "failed": {}},
            "error": None,
            "request_id": row["id"],
            "note": row["note"],
        },
    )
