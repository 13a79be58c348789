"""Who wants to be told: kept in Redis, with their secrets."""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from redis import Redis

from processor.clock import from_ms, to_ms, utc_now
from processor.delivery import rules
from processor.delivery.signing import new_secret
from processor.errors import Conflict, NotFound
from processor.store import keys, unreadable
from processor.store.decoding import text_fields, texts

OVERLAP = timedelta(hours=24)
"""How long a secret that was replaced still signs."""

MOST = 200
MOST_OLD = 5


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One subscriber; no ``types`` stands for all. ``old_secrets`` still sign until the time with them."""

    id: str
    url: str
    secret: str = field(repr=False)
    types: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    description: str = ""
    ordered: bool = False
    created_at: datetime = field(default_factory=utc_now)
    old_secrets: tuple[tuple[str, datetime], ...] = field(default=(), repr=False)

    def wants(self, type_: str) -> bool:
        """Whether notifications of this type go there."""
        return not self.types or type_ in self.types

    def signing_keys(self, now: datetime) -> tuple[str, ...]:
        """The secrets that sign now, the newest first."""
        return (self.secret, *(old for old, until in self.old_secrets if now < until))


class Subscribers:
    """Keeps subscribers. ``allow_private`` is ALLOW_PRIVATE_SUBSCRIBERS.

    Every method raises ``redis.RedisError`` when Redis does not answer; changes raise ``Invalid``
    for what a subscriber cannot be and ``NotFound`` for an id that nobody has.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        allow_private: bool,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._client = client
        self._allow_private = allow_private
        self._clock = clock

    def add(
        self,
        *,
        url: str,
        types: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        description: str = "",
        ordered: bool = False,
        enabled: bool = True,
    ) -> Subscriber:
        """A new subscriber with a new secret. Raises ``Conflict`` when there are too many."""
        now = self._clock()
        made = Subscriber(
            id=f"sub_{secrets.token_hex(12)}",
            url=rules.check_url(url, allow_private=self._allow_private),
            secret=new_secret(),
            types=rules.check_types(types),
            headers=rules.check_headers(headers or {}),
            description=rules.check_description(description),
            ordered=ordered,
            created_at=from_ms(to_ms(now)),
        )
        if self._client.zcard(keys.subscribers()) >= MOST:
            raise Conflict(f"There are {MOST} subscribers already; remove one first.")
        with self._client.pipeline(transaction=True) as pipe:
            pipe.hset(keys.subscriber(made.id), mapping=_written(made))
            pipe.zadd(keys.subscribers(), {made.id: to_ms(now)})
            if not enabled:
                pipe.hset(keys.lane_state(made.id), mapping={"mode": "disabled", "since": to_ms(now)})
            pipe.execute()
        return made

    def all(self) -> list[Subscriber]:
        """Every subscriber, the oldest first."""
        ids = texts(self._client.zrange(keys.subscribers(), 0, -1))
        with self._client.pipeline(transaction=False) as pipe:
            for subscriber_id in ids:
                pipe.hgetall(keys.subscriber(subscriber_id))
            rows = pipe.execute() if ids else []
        found = (
            unreadable.read(self._client, "subscriber", id_, partial(_read, row))
            for id_, row in zip(ids, rows, strict=True)
            if row
        )
        return [one for one in found if one is not None]

    def find(self, subscriber_id: str) -> Subscriber | None:
        """One subscriber; ``None`` when there is none."""
        row = self._client.hgetall(keys.subscriber(subscriber_id))
        return (
            unreadable.read(self._client, "subscriber", subscriber_id, partial(_read, row)) if row else None
        )

    def get(self, subscriber_id: str) -> Subscriber:
        """One subscriber; raises ``NotFound``."""
        found = self.find(subscriber_id)
        if found is None:
            raise NotFound("There is no subscriber with this id.")
        return found

    def change(self, subscriber_id: str, **wanted: Any) -> Subscriber:
        """Change ``url``, ``types``, ``headers``, ``description`` or ``ordered``; what is not named stays."""
        self.get(subscriber_id)
        checked: dict[str, Any] = {}
        if "url" in wanted:
            checked["url"] = rules.check_url(wanted["url"], allow_private=self._allow_private)
        if "types" in wanted:
            checked["types"] = json.dumps(rules.check_types(wanted["types"] or ()))
        if "headers" in wanted:
            checked["headers"] = json.dumps(rules.check_headers(wanted["headers"] or {}))
        if "description" in wanted:
            checked["description"] = rules.check_description(wanted["description"] or "")
        if "ordered" in wanted:
            checked["ordered"] = int(wanted["ordered"])
        if checked:
            self._set(subscriber_id, checked)
        return self.get(subscriber_id)

    def rotate(self, subscriber_id: str) -> Subscriber:
        """Give it a new secret; the one before also signs for another 24 hours."""

        def rotated(pipe: Any) -> None:
            row = pipe.hgetall(keys.subscriber(subscriber_id))
            if not row:
                raise NotFound("There is no subscriber with this id.")
            known, now = _read(row), self._clock()
            old = [(known.secret, now + OVERLAP), *known.old_secrets]
            still = [(secret, to_ms(until)) for secret, until in old[:MOST_OLD] if until > now]
            pipe.multi()
            pipe.hset(
                keys.subscriber(subscriber_id),
                mapping={"secret": new_secret(), "old_secrets": json.dumps(still)},
            )

        self._client.transaction(rotated, keys.subscriber(subscriber_id))  # type: ignore[no-untyped-call]
        return self.get(subscriber_id)

    def forget(self, subscriber_id: str) -> None:
        """Remove it; what waits in its lane is dealt with by ``Lanes.remove``."""
        with self._client.pipeline(transaction=True) as pipe:
            pipe.delete(keys.subscriber(subscriber_id))
            pipe.zrem(keys.subscribers(), subscriber_id)
            pipe.execute()

    def _set(self, subscriber_id: str, fields: Mapping[str, Any]) -> None:
        """Set fields of one that exists; a hash is not brought back by halves."""

        def put(pipe: Any) -> None:
            if not pipe.exists(keys.subscriber(subscriber_id)):
                raise NotFound("There is no subscriber with this id.")
            pipe.multi()
            pipe.hset(keys.subscriber(subscriber_id), mapping=fields)

        self._client.transaction(put, keys.subscriber(subscriber_id))  # type: ignore[no-untyped-call]


def _written(one: Subscriber) -> dict[str | bytes, str | bytes | int | float]:
    return {
        "id": one.id,
        "url": one.url,
        "secret": one.secret,
        "types": json.dumps(one.types),
        "headers": json.dumps(dict(one.headers)),
        "description": one.description,
        "ordered": int(one.ordered),
        "created_ms": to_ms(one.created_at),
    }


def _read(row: Mapping[bytes, bytes]) -> Subscriber:
    said = text_fields(row)
    return Subscriber(
        id=said["id"],
        url=said["url"],
        secret=said["secret"],
        types=tuple(json.loads(said["types"])),
        headers=json.loads(said["headers"]),
        description=said["description"],
        ordered=said["ordered"] == "1",
        created_at=from_ms(int(said["created_ms"])),
        old_secrets=tuple(
            (secret, from_ms(until_ms)) for secret, until_ms in json.loads(said.get("old_secrets", "[]"))
        ),
    )
