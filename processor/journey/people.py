"""People of a company, beside its contact: an accountant with a link of their own."""

import json
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any

from redis import Redis

from processor.clock import to_iso
from processor.errors import Conflict, Invalid, NotFound
from processor.journey.company_fields import checked_email
from processor.journey.field_checks import text_error
from processor.store import keys
from processor.store.decoding import text
from processor.store.encryption import KeyMissing, decrypt, encrypt

MOST_PEOPLE = 20
LONGEST_NAME = 100

Person = dict[str, Any]
"""``id``, ``at``, ``company_id``, ``name`` and ``email``."""


class People:
    """Keeps the people with the company, until that is erased. Every method may raise ``redis.RedisError``.

    Whole records are encrypted with ENCRYPTION_KEYS.
    """

    def __init__(self, client: "Redis[Any]", *, clock: Callable[[], datetime]) -> None:
        self._client, self._clock = client, clock

    def add(self, company_id: str, email: str, name: str | None = None) -> tuple[Person, bool]:
        """Keep a person, and whether they are new; a known address gets the name if one is given.

        Raises :class:`Invalid` by field, :class:`Conflict` after ``MOST_PEOPLE`` or if a known one cannot be
        decrypted, and :class:`NotFound` if the company was erased meanwhile.
        """
        address, mistake = checked_email(email)
        mistakes = {"email": mistake, "name": name and text_error(name, LONGEST_NAME)}
        if errors := {field: [mistake] for field, mistake in mistakes.items() if mistake}:
            raise Invalid(errors=errors)
        company, table = keys.company(company_id), keys.people(company_id)

        def save(pipe: Any) -> tuple[Person, bool]:
            people, is_known_company = _people_of(pipe.hgetall(table)), pipe.exists(company)
            known = next((person for person in people if person["email"] == address), None)
            pipe.multi()
            if not is_known_company:
                raise NotFound("There is no company with this id.")
            if known is None and len(people) >= MOST_PEOPLE:
                raise Conflict(f"A company has at most {MOST_PEOPLE} people.")
            person = known or {
                "id": f"per_{secrets.token_hex(12)}",
                "at": to_iso(self._clock()),
                "company_id": company_id,
                "name": None,
                "email": address,
            }
            person |= {"name": name or person["name"]}
            pipe.hset(table, person["id"], encrypt(json.dumps(person, ensure_ascii=False)))
            return person, known is None

        kept: tuple[Person, bool] = self._client.transaction(  # type: ignore[no-untyped-call]
            save, company, table, value_from_callable=True
        )
        return kept

    def of_company(self, company_id: str) -> list[Person]:
        """The people of a company, newest first; raises :class:`Conflict` if one cannot be decrypted."""
        people = _people_of(self._client.hgetall(keys.people(company_id)))
        return sorted(people, key=lambda person: (person["at"], person["id"]), reverse=True)

    def person(self, company_id: str, person_id: str) -> Person | None:
        """One of them; ``None`` if they are unknown, were removed, or cannot be decrypted."""
        row = self._client.hget(keys.people(company_id), person_id)
        try:
            return None if row is None else _person(row)
        except KeyMissing:
            return None

    def of_link(self, company_id: str, person_id: str) -> Person | None:
        """Whose link it is, without name and address if they are unknown; ``None`` for an empty id."""
        nameless = {"id": person_id, "name": None, "email": None}
        return self.person(company_id, person_id) or nameless if person_id else None

    def exists(self, company_id: str, person_id: str) -> bool:
        """Whether this person still has a link."""
        return bool(self._client.hexists(keys.people(company_id), person_id))

    def remove(self, company_id: str, person_id: str) -> None:
        """Remove a person, whose links end at once. Raises :class:`NotFound`."""
        if not self._client.hdel(keys.people(company_id), person_id):
            raise NotFound("The company has no person with this id.")
        self._client.delete(keys.link_mailed(company_id, person_id))


def _people_of(rows: "dict[bytes, bytes]") -> list[Person]:
    try:
        return [_person(row) for row in rows.values()]
    except KeyMissing as error:
        raise Conflict("The company's people cannot be read: ENCRYPTION_KEYS lacks their key.") from error


def _person(row: bytes) -> Person:
    person: Person = json.loads(decrypt(text(row)))
    return person
