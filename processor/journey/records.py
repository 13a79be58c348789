"""The journey's records in Redis: companies that signed up, locks, pauses, and the signing key of links."""

import contextlib
import hashlib
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import Any

from redis import Redis, RedisError, WatchError
from redis.client import Pipeline
from redis.lock import Lock

from processor.clock import to_iso, to_ms, to_us
from processor.codat.models import CompanyResponse
from processor.errors import StoreUnavailable
from processor.store import commits, keys, visibility
from processor.store.decoding import text, text_fields
from processor.store.encryption import KeyMissing, decrypt, encrypt
from processor.store.records import REMINDERS_OFF_AT, StoredConnection, read_connections, read_members
from processor.store.unit_of_work import Batch

LOCK_S = 100
"""Lifetime of a lock in seconds: longer than the calls to Codat that run under it."""

ATTEMPTS = 20
LOCK_WAIT_S = 15.0
"""How long a caller waits for a lock by default, in seconds."""

LINK_GENERATION = "link_generation"
"""Field of a company: how often its links were revoked."""

_LOCK_POLL_S = 0.05
_BUSY = "The same request is being handled at the moment; try again shortly."


class Records:
    """Reads and writes; every method may raise ``redis.RedisError``."""

    def __init__(self, client: "Redis[Any]", *, lock_wait_s: float = LOCK_WAIT_S) -> None:
        self._client, self._lock_wait_s = client, lock_wait_s

    def save_company(
        self, company: CompanyResponse, *, merchant_id: str, local_fields: Mapping[str, str], now: datetime
    ) -> None:
        """Store a company from Codat as the merchant's, with ``local_fields``, which Codat does not have.

        Raises :class:`StoreUnavailable` after ``ATTEMPTS`` disturbed transactions.
        """
        fields: dict[str | bytes, str | bytes | int | float] = {
            "id": company.id,
            "merchant_id": merchant_id,
            "tags": json.dumps(dict(company.tags), ensure_ascii=False),
            "tagged_at": to_iso(min(company.asked_at, now)),
        }
        fields.update(_stored(local_fields))
        if company.name is not None:
            fields["name"] = company.name
        name, cell = keys.company(company.id), keys.cell_of(company.id)
        for _ in range(ATTEMPTS):
            with self._client.pipeline(transaction=True) as pipe:
                pipe.watch(name)
                raw_merchant_id, raw_heard = self._client.hmget(name, "merchant_id", "first_heard")
                previous = None if raw_merchant_id is None else raw_merchant_id.decode()
                heard_us = int(raw_heard) if raw_heard is not None and raw_heard.isdigit() else to_us(now)
                fields["first_heard"] = str(heard_us)
                connections = (
                    self._with_merchant(pipe, company.id, merchant_id) if previous != merchant_id else Batch()
                )
                pipe.multi()
                pipe.hset(name, mapping=fields)
                pipe.zadd(keys.companies(cell), {company.id: to_ms(now)}, nx=True)
                commits.put_merchant(
                    pipe, company.id, merchant_id, before=previous, heard_ms=heard_us // 1000
                )
                commits.write_connections(pipe, cell, connections, now)
                visibility.mark_shown(pipe, [company.id])
                pipe.delete(keys.erased(company.id))  # an erased company may sign up again
                try:
                    pipe.execute()
                except WatchError:
                    continue
                return
        raise StoreUnavailable(_BUSY)

    def _with_merchant(self, pipe: "Pipeline[Any]", company_id: str, merchant_id: str) -> Batch:
        """The company's connections with this merchant id; ``pipe`` watches them from here on."""
        cell = keys.cell_of(company_id)
        ids = list(read_members(self._client, [company_id])[0])
        if ids:
            pipe.watch(*(keys.connection(cell, connection_id) for connection_id in ids))
        batch = Batch()
        for connection_id, row in read_connections(self._client, {cell: ids}).items():
            if isinstance(row, StoredConnection) and row.connection.merchant_id != merchant_id:
                connection = replace(row.connection, merchant_id=merchant_id)
                batch.connections[connection_id] = (connection, row.state, row)
        return batch

    def save_local_fields(self, company_id: str, local_fields: Mapping[str, str]) -> None:
        """Store the given name and contact of a company, unless it was erased meanwhile."""
        name = keys.company(company_id)
        fields = _stored(local_fields)

        def save(pipe: "Pipeline[Any]") -> None:
            is_known = pipe.exists(name)
            contact: Any = pipe.hget(name, "contact_email")
            pipe.multi()
            if is_known:
                pipe.hset(name, mapping=fields)
            if "contact_email" in local_fields and not _is(contact, local_fields["contact_email"]):
                pipe.hdel(name, REMINDERS_OFF_AT)  # another contact did not say so

        self._client.transaction(save, name)  # type: ignore[no-untyped-call]

    def revoke_links(self, company_id: str) -> None:
        """Begin another generation of a company's links, unless it was erased meanwhile."""
        name = keys.company(company_id)
        write_if_known(self._client, company_id, lambda pipe: pipe.hincrby(name, LINK_GENERATION, 1))

    def save_return(
        self, company_id: str, connection_id: str, return_to: tuple[str | None, str | None] | None
    ) -> None:
        """Store the address and the state of a link's way back; ``None`` removes those of an earlier link.

        Nothing is stored of a company that was erased meanwhile.
        """
        name = keys.link_returns(company_id)

        def save(pipe: "Pipeline[Any]") -> None:
            if return_to is None:
                pipe.hdel(name, connection_id)
            else:
                pipe.hset(name, connection_id, json.dumps(return_to))

        write_if_known(self._client, company_id, save)

    def return_of(self, company_id: str, connection_id: str) -> tuple[str | None, str | None] | None:
        """The address and the state of the way back of the connection's newest link, if it has its own."""
        row = self._client.hget(keys.link_returns(company_id), connection_id)
        if row is None:
            return None
        url, state = json.loads(row)
        return url, state

    def confirm_account(self, company_id: str, connection_id: str, account_name: str) -> bool:
        """Store that the user meant to connect another account; nothing of a company erased meanwhile.

        False: that was stored already.
        """
        if self.confirmed_accounts(company_id).get(connection_id) == account_name:
            return False
        name = keys.confirmed_accounts(company_id)
        write_if_known(self._client, company_id, lambda pipe: pipe.hset(name, connection_id, account_name))
        return True

    def confirmed_accounts(self, company_id: str) -> dict[str, str]:
        """The accounts that users confirmed, by connection."""
        return text_fields(self._client.hgetall(keys.confirmed_accounts(company_id)))

    def signing_up(self, merchant_id: str) -> AbstractContextManager[None]:
        """Allow one sign-up of a merchant at a time; raises after ``lock_wait_s``."""
        digest = hashlib.sha256(merchant_id.encode()).hexdigest()
        return self._locked(keys.signing_up(digest))

    def connecting(self, company_id: str) -> AbstractContextManager[None]:
        """Allow one new connection of a company at once; raises after ``lock_wait_s``."""
        return self._locked(keys.connecting(company_id))

    def question_delay_s(self, company_id: str, pause_s: int) -> float:
        """Seconds until Codat may be asked about the company again; 0.0 means now, and begins a pause."""
        name = keys.asked_again(company_id)
        if self._client.set(name, "1", nx=True, ex=pause_s):
            return 0.0
        return float(max(0, self._client.pttl(name))) / 1000

    def begin_read_pause(self, company_id: str, pause_s: int) -> bool:
        """Begin a pause between two reads of the company; false while one is running."""
        return bool(self._client.set(keys.told_to_read(company_id), "1", nx=True, ex=pause_s))

    def end_read_pause(self, company_id: str) -> None:
        """End the pause, because Codat did not begin to read."""
        self._client.delete(keys.told_to_read(company_id))

    def begin_link_pause(self, company_id: str, holder: str, pause_s: int) -> bool:
        """Begin a pause between two e-mails with a link to somebody; false while one is running."""
        name = keys.link_mailed(company_id, holder or keys.CONTACT)
        return bool(self._client.set(name, "1", nx=True, ex=pause_s))

    def end_link_pause(self, company_id: str, holder: str) -> None:
        """End the pause, because no link could be e-mailed."""
        self._client.delete(keys.link_mailed(company_id, holder or keys.CONTACT))

    def signing_key(self) -> str:
        """The key that signs links when SECRET_KEY is unset: created once, the same in every process."""
        name = keys.signing_key()
        self._client.set(name, secrets.token_urlsafe(48), nx=True)
        key = self._client.get(name)
        if key is None:
            raise StoreUnavailable()
        return str(key.decode())

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        lock = Lock(
            self._client, name, timeout=LOCK_S, sleep=_LOCK_POLL_S, blocking_timeout=self._lock_wait_s
        )
        if not lock.acquire():
            raise StoreUnavailable(_BUSY)
        try:
            yield
        finally:
            # The lock may have expired, or Redis may be away: then it expires.
            with contextlib.suppress(RedisError):
                lock.release()


def write_if_known(client: "Redis[Any]", company_id: str, stage: Callable[["Pipeline[Any]"], object]) -> None:
    """Write what ``stage`` adds in one transaction, unless the company was erased meanwhile."""
    name = keys.company(company_id)

    def write(pipe: "Pipeline[Any]") -> None:
        is_known = pipe.exists(name)
        pipe.multi()
        if is_known:
            stage(pipe)

    client.transaction(write, name)  # type: ignore[no-untyped-call]


def _is(stored: bytes | None, contact: str) -> bool:
    """Whether the stored contact is this one; one that cannot be decrypted may be."""
    try:
        return decrypt(text(stored or b"")) == contact
    except KeyMissing:
        return True


def _stored(local_fields: Mapping[str, str]) -> dict[str | bytes, str | bytes | int | float]:
    """The fields as stored, with the contact encrypted."""
    fields: dict[str | bytes, str | bytes | int | float] = dict(local_fields.items())
    if contact := local_fields.get("contact_email"):
        fields["contact_email"] = encrypt(contact)
    return fields
