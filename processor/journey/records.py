"""What the journey keeps in Redis: companies that signed up, locks, and the signing key of its links."""

import contextlib
import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from redis import Redis, RedisError, WatchError
from redis.client import Pipeline
from redis.lock import Lock

from processor.clock import from_iso, to_iso, to_ms
from processor.codat.models import CompanyResponse
from processor.errors import StoreUnavailable
from processor.store import commits, keys, merchants, visibility
from processor.store.decoding import texts
from processor.store.records import StoredConnection, read_connections
from processor.store.unit_of_work import Batch

LOCK_S = 100
"""How long a lock lasts at the most, in seconds: longer than the calls to Codat that it stands around."""

ATTEMPTS = 20
PATIENCE_S = 15.0
"""How long somebody waits for a lock, in seconds."""

_LOOK_EVERY_S = 0.05
_BUSY = "Somebody is doing the same at the moment; try again shortly."


class Records:
    """Reads and writes; every method raises ``redis.RedisError`` when Redis does not answer."""

    def __init__(self, client: "Redis[Any]") -> None:
        self._client = client

    def keep_company(
        self, seen: CompanyResponse, *, merchant_id: str, given: Mapping[str, str], now: datetime
    ) -> None:
        """Keep a company that Codat showed, with what was ``given`` of it; it is this merchant's now."""
        fields: dict[str | bytes, str | bytes | int | float] = {
            "id": seen.id,
            "merchant_id": merchant_id,
            "tags": json.dumps(dict(seen.tags), ensure_ascii=False),
            "tagged_at": to_iso(min(seen.asked_at, now)),
        }
        fields.update(given.items())
        if seen.name is not None:
            fields["name"] = seen.name
        name = keys.company(seen.id)
        for _ in range(ATTEMPTS):
            with self._client.pipeline(transaction=True) as pipe:
                pipe.watch(name, keys.company_connections(seen.id))
                before, first_heard = self._client.hmget(name, "merchant_id", "first_heard")
                old = None if before is None else before.decode()
                heard_ms = to_ms(now if first_heard is None else from_iso(first_heard.decode()))
                renamed = self._renamed(pipe, seen.id, merchant_id) if old != merchant_id else Batch()
                pipe.multi()
                pipe.hset(name, mapping=fields)
                pipe.hsetnx(name, "first_heard", to_iso(now))
                pipe.zadd(keys.companies(), {seen.id: to_ms(now)}, nx=True)
                merchants.put(pipe, seen.id, merchant_id, before=old, heard_ms=heard_ms)
                commits.write_connections(pipe, renamed)
                visibility.mark_shown(pipe, [seen.id])
                pipe.delete(keys.erased(seen.id))  # whoever was erased here may sign up again
                try:
                    pipe.execute()
                except WatchError:
                    continue
                return
        raise StoreUnavailable(_BUSY)

    def _renamed(self, pipe: "Pipeline[Any]", company_id: str, merchant_id: str) -> Batch:
        """What the company's connections are with this merchant id; they are watched from here on."""
        members = self._client.zrange(keys.company_connections(company_id), 0, -1)
        ids = texts(members)
        if ids:
            pipe.watch(*map(keys.connection, ids))
        batch = Batch()
        for connection_id, known in read_connections(self._client, ids).items():
            if isinstance(known, StoredConnection) and known.connection.merchant_id != merchant_id:
                renamed = replace(known.connection, merchant_id=merchant_id)
                batch.connections[connection_id] = (renamed, known.state, known)
        return batch

    def keep_given(self, company_id: str, given: Mapping[str, str]) -> None:
        """Keep what was given of a company: its name, its contact; nothing of one erased meanwhile."""
        name = keys.company(company_id)
        fields: dict[str | bytes, str | bytes | int | float] = dict(given.items())

        def keep(pipe: "Pipeline[Any]") -> None:
            is_known = pipe.exists(name)
            pipe.multi()
            if is_known:
                pipe.hset(name, mapping=fields)

        self._client.transaction(keep, name)  # type: ignore[no-untyped-call]

    @contextlib.contextmanager
    def signing_up(self, merchant_id: str) -> Iterator[None]:
        """One sign-up of a merchant at a time; raises :class:`StoreUnavailable` after a long wait."""
        digest = hashlib.sha256(merchant_id.encode()).hexdigest()
        with self._alone(keys.signing_up(digest)):
            yield

    @contextlib.contextmanager
    def connecting(self, company_id: str) -> Iterator[None]:
        """One choice of a platform at a time, per company."""
        with self._alone(keys.connecting(company_id)):
            yield

    def rest_s(self, company_id: str, pause_s: int) -> float:
        """How long to wait before Codat is asked about the company again; 0.0 begins a pause."""
        name = keys.asked_again(company_id)
        if self._client.set(name, "1", nx=True, ex=pause_s):
            return 0.0
        return float(max(0, self._client.pttl(name))) / 1000

    def may_read_again(self, company_id: str, pause_s: int) -> bool:
        """Whether Codat was not told to read the company within ``pause_s``; begins a pause where so."""
        return bool(self._client.set(keys.told_to_read(company_id), "1", nx=True, ex=pause_s))

    def may_not_wait(self, company_id: str) -> None:
        """End the pause: Codat did not do it."""
        self._client.delete(keys.told_to_read(company_id))

    def may_mail_link(self, company_id: str, pause_s: int) -> bool:
        """Whether no link was mailed to the company within ``pause_s``; begins a pause where so."""
        return bool(self._client.set(keys.link_mailed(company_id), "1", nx=True, ex=pause_s))

    def signing_key(self) -> str:
        """The key that signs links where SECRET_KEY is unset: made once, the same in every process."""
        name = keys.signing_key()
        self._client.set(name, secrets.token_urlsafe(48), nx=True)
        found = self._client.get(name)
        if found is None:
            raise StoreUnavailable()
        return str(found.decode())

    @contextlib.contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        lock = Lock(self._client, name, timeout=LOCK_S, sleep=_LOOK_EVERY_S, blocking_timeout=PATIENCE_S)
        if not lock.acquire():
            raise StoreUnavailable(_BUSY)
        try:
            yield
        finally:
            # It may have run out, or Redis may be away: then it ends by itself.
            with contextlib.suppress(RedisError):
                lock.release()
