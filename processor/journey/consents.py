"""Consent: which text a user agreed to, for which connection, when, from where, and with whose link."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from redis import Redis
from redis.client import Pipeline

from processor.clock import to_iso
from processor.journey.consent_texts import ConsentText, ConsentTexts
from processor.journey.events import CompanyFields, JourneyEvents
from processor.journey.models import CompanyView, LinkSession
from processor.journey.people import Person
from processor.journey.records import write_if_known
from processor.store import cursors, keys
from processor.store.cursors import ResultPage
from processor.store.decoding import text
from processor.store.encryption import KeyMissing, decrypt, encrypt


class Consents:
    """Keeps evidence with the company, until that is erased. Every method may raise ``redis.RedisError``.

    ``texts`` is ``None`` where the pages ask for no consent. ``signing_keys`` returns the keys of links; the
    first makes the hashes of addresses, which nobody without it can guess.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        texts: ConsentTexts | None,
        events: JourneyEvents,
        signing_keys: Callable[[], Sequence[str]],
        clock: Callable[[], datetime],
    ) -> None:
        self._client, self._texts, self._events = client, texts, events
        self._signing_keys, self._clock = signing_keys, clock

    def text(self, company: CompanyView, languages: Sequence[str] = ()) -> ConsentText | None:
        """The text that the company's users agree to; ``None`` where the pages ask for no consent."""
        return None if self._texts is None else self._texts.of_company(company, languages)

    def is_given(
        self, company_id: str, connection_id: str, consent: ConsentText, *, authorization: int
    ) -> bool:
        """Whether the user agreed to exactly this text for the connection as often as it was authorised.

        ``authorization`` counts the authorisations, so that renewed access needs a new consent.
        """
        given = self._client.hget(keys.consented(company_id), _mark(connection_id, consent))
        return given is not None and int(given) == authorization

    def give(
        self,
        company: CompanyFields,
        session: LinkSession,
        consent: ConsentText,
        *,
        authorization: int,
        address: str,
        person: Person | None,
    ) -> dict[str, Any]:
        """Keep the evidence and note it on the timeline, unless the company was erased meanwhile; the row.

        ``person`` is the one whose link was used; ``None``: the company's own link, made for its contact. The
        name is kept apart, as it is now, encrypted, and outlives the person's removal.
        """
        company_id, connection_id = company["id"], session.connection_id
        email = company.get("contact_email") if person is None else person["email"]
        person_id = None if person is None else str(person["id"])
        row = {
            "id": f"cns_{secrets.token_hex(12)}",
            "at": to_iso(self._clock()),
            "company_id": company_id,
            "connection_id": connection_id,
            "platform_name": session.platform_name,
            "authorization": authorization,
            "version": consent.version,
            "hash": consent.hash,
            "language": consent.language,
            "text": consent.text,
            "address_hash": self._keyed_hash(f"consent {address}"),
            "person_id": person_id,
            "email_hash": self._keyed_hash(f"consent of {email}") if email else None,
        }

        def save(pipe: "Pipeline[Any]") -> None:
            pipe.xadd(keys.consents(company_id), {"consent": json.dumps(row, ensure_ascii=False)})
            pipe.hset(keys.consented(company_id), _mark(connection_id, consent), authorization)
            if person is not None and person["name"]:
                pipe.hset(keys.consenters(company_id), str(row["id"]), encrypt(person["name"]))

        write_if_known(self._client, company_id, save)
        self._events.record_consent(company, connection_id, consent.version, person_id)
        return row

    def of_company(self, company_id: str, *, limit: int, cursor: str | None = None) -> ResultPage:
        """A page of a company's evidence, newest first; raises :class:`Invalid` for a foreign cursor."""
        newest = "+" if cursor is None else f"({cursors.stream_id(cursor)}"
        rows = self._client.xrevrange(keys.consents(company_id), max=newest, count=limit + 1)
        page = [json.loads(fields[b"consent"]) for _, fields in rows[:limit]]
        items = [
            {"person_id": None, "email_hash": None, **row, "person_name": name}
            for row, name in zip(page, self._names(company_id, page), strict=True)
        ]
        return ResultPage(items, text(rows[limit - 1][0]) if len(rows) > limit else None)

    def _names(self, company_id: str, page: Sequence[dict[str, Any]]) -> list[str | None]:
        """The name of each consent's person, as it was then."""
        if not page:
            return []
        stored = self._client.hmget(keys.consenters(company_id), [row["id"] for row in page])
        return [None if name is None else _name(name) for name in stored]

    def _keyed_hash(self, message: str) -> str:
        key = self._signing_keys()[0].encode()
        return hmac.new(key, message.encode(), hashlib.sha256).hexdigest()


def _name(stored: bytes) -> str | None:
    try:
        return decrypt(text(stored))
    except KeyMissing:
        return None


def _mark(connection_id: str, consent: ConsentText) -> str:
    return f"{connection_id} {consent.hash}"
