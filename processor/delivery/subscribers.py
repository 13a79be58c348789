"""Subscribers: where notifications are posted to; stored in Redis with their secrets."""

import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from redis import Redis

from processor.clock import from_ms, to_ms, utc_now
from processor.delivery import rules
from processor.delivery.signing import new_secret
from processor.errors import Conflict, NotFound
from processor.store import keys, metrics, unreadable
from processor.store.decoding import text_fields, texts
from processor.store.encryption import decrypt, encrypt

SECRET_OVERLAP = timedelta(hours=24)
"""How long a replaced secret still signs."""

MOST_SUBSCRIBERS = 200
MOST_OLD_SECRETS = 5

CHANGEABLE = ("types", "headers", "description", "ordered", "traceparent", "rate_per_s")
"""The fields that can be given for a new subscriber, and changed later; ``None`` stands for the default."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One subscriber.

    Empty ``types`` means all but those for operators, and a ``rate_per_s`` of 0 any number of requests a
    second. Each of ``old_secrets`` signs until the time beside it.
    """

    id: str
    url: str
    secret: str = field(repr=False)
    types: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    description: str = ""
    ordered: bool = False
    traceparent: bool = False
    rate_per_s: float = 0.0
    created_at: datetime = field(default_factory=utc_now)
    old_secrets: tuple[tuple[str, datetime], ...] = field(default=(), repr=False)
    portal_generation: int = 0
    """How often the links to its own page were revoked."""

    def wants(self, type_: str) -> bool:
        """Whether the subscriber receives notifications of this type."""
        return type_ in self.types or (not self.types and type_ not in rules.OPERATOR_TYPES)

    def signing_keys(self, now: datetime) -> tuple[str, ...]:
        """The secrets that sign now, newest first."""
        return (self.secret, *(old for old, until in self.old_secrets if now < until))


class Subscribers:
    """Stores up to ``most`` subscribers. ``allow_private`` is ALLOW_PRIVATE_SUBSCRIBERS, and ``allow_http``
    ALLOW_HTTP_SUBSCRIBERS.

    Every method raises ``redis.RedisError``; changes also raise ``Invalid`` and, for an unknown id,
    ``NotFound``.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        allow_private: bool,
        allow_http: bool = False,
        most: int = MOST_SUBSCRIBERS,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._client = client
        self._check_url = partial(rules.check_url, allow_private=allow_private, allow_http=allow_http)
        self._most = most
        self._clock = clock

    def add(self, *, url: str, enabled: bool = True, **fields: Any) -> Subscriber:
        """A new subscriber with a new secret; ``fields`` are some of ``CHANGEABLE``.

        Raises ``Conflict`` at the largest number of subscribers.
        """
        id_, now_ms = f"sub_{secrets.token_hex(12)}", to_ms(self._clock())
        row = self._row({"url": url, **dict.fromkeys(CHANGEABLE), **fields})
        row |= {"id": id_, "secret": encrypt(new_secret()), "created_ms": now_ms}
        if self._client.zcard(keys.subscribers()) >= self._most:
            raise Conflict(f"There are {self._most} subscribers already; remove one first.")
        with self._client.pipeline(transaction=True) as pipe:
            pipe.hset(keys.subscriber(id_), mapping=row)
            pipe.zadd(keys.subscribers(), {id_: now_ms})
            pipe.incr(keys.subscribers_version())
            if not enabled:
                pipe.hset(keys.lane_state(id_), mapping={"mode": "disabled", "since": now_ms})
            pipe.hgetall(keys.subscriber(id_))  # after a failover another server may answer, without it
            *_, stored = pipe.execute()
        return _existing(self._read(id_, stored))

    def all(self) -> list[Subscriber]:
        """Every subscriber, the oldest first."""
        ids = texts(self._client.zrange(keys.subscribers(), 0, -1))
        with self._client.pipeline(transaction=False) as pipe:
            for subscriber_id in ids:
                pipe.hgetall(keys.subscriber(subscriber_id))
            rows = pipe.execute() if ids else []
        subscribers = (self._read(id_, row) for id_, row in zip(ids, rows, strict=True))
        return [subscriber for subscriber in subscribers if subscriber is not None]

    def find(self, subscriber_id: str) -> Subscriber | None:
        """One subscriber; ``None`` where it does not exist or cannot be read."""
        return self._read(subscriber_id, self._client.hgetall(keys.subscriber(subscriber_id)))

    def get(self, subscriber_id: str) -> Subscriber:
        """One subscriber; raises ``NotFound``."""
        return _existing(self.find(subscriber_id))

    def change(self, subscriber_id: str, **fields: Any) -> Subscriber:
        """Change the given fields: those of ``CHANGEABLE``, and the URL.

        A URL that stays is not checked: the rules may be stricter than when it was set.
        """

        def changed(subscriber: Subscriber) -> Mapping[str, Any]:
            given = {
                name: value for name, value in fields.items() if name != "url" or value != subscriber.url
            }
            return self._row(given)

        return self._set(subscriber_id, changed)

    def rotate(self, subscriber_id: str) -> Subscriber:
        """Replace the secret; the old one also signs for another 24 hours."""

        def replaced(subscriber: Subscriber) -> Mapping[str, Any]:
            now = self._clock()
            old = [(subscriber.secret, now + SECRET_OVERLAP), *subscriber.old_secrets]
            valid = [(secret, to_ms(until)) for secret, until in old[:MOST_OLD_SECRETS] if until > now]
            return {"secret": encrypt(new_secret()), "old_secrets": encrypt(json.dumps(valid))}

        return self._set(subscriber_id, replaced)

    def remove(self, subscriber_id: str) -> None:
        """Delete a subscriber; the caller abandons its lanes."""
        with self._client.pipeline(transaction=True) as pipe:
            pipe.delete(keys.subscriber(subscriber_id))
            pipe.zrem(keys.subscribers(), subscriber_id)
            pipe.incr(keys.subscribers_version())
            pipe.execute()
        with self._client.pipeline(transaction=False) as pipe:
            metrics.forget_lane(pipe, subscriber_id)
            pipe.execute()

    def revoke_portal(self, subscriber_id: str) -> None:
        """End every link to this subscriber's own page that was made so far."""
        self._set(subscriber_id, lambda subscriber: {"portal_generation": subscriber.portal_generation + 1})

    def _read(self, subscriber_id: str, row: Mapping[bytes, bytes]) -> Subscriber | None:
        if not row:
            return None
        return unreadable.read(self._client, "subscriber", subscriber_id, partial(_subscriber, row))

    def _row(self, fields: Mapping[str, Any]) -> dict[Any, Any]:
        """The stored form of these fields, each checked."""
        stored: Mapping[str, Callable[[Any], Any]] = {
            "url": self._check_url,
            "types": lambda types: json.dumps(rules.check_types(types or ())),
            "headers": lambda headers: encrypt(json.dumps(rules.check_headers(headers or {}))),
            "description": lambda description: rules.check_description(description or ""),
            "ordered": lambda ordered: int(bool(ordered)),
            "traceparent": lambda traceparent: int(bool(traceparent)),
            "rate_per_s": rules.check_rate,
        }
        return {name: stored[name](value) for name, value in fields.items()}

    def _set(self, subscriber_id: str, changed: Callable[[Subscriber], Mapping[str, Any]]) -> Subscriber:
        """Set what ``changed`` makes of a subscriber; a removed one must not come back with this alone."""
        name = keys.subscriber(subscriber_id)

        def set_fields(pipe: Any) -> None:
            row = changed(_existing(self._read(subscriber_id, pipe.hgetall(name))))
            pipe.multi()
            if row:
                pipe.hset(name, mapping=row)
                pipe.incr(keys.subscribers_version())
            pipe.hgetall(name)

        *_, stored = self._client.transaction(set_fields, name)  # type: ignore[no-untyped-call]
        return _existing(self._read(subscriber_id, stored))


def names_of(subscribers: Iterable[Subscriber]) -> dict[str, str]:
    """Names for people by id: the description, else the host, as a whole URL may hold secrets.

    Equal names are followed by the id.
    """
    names = {
        subscriber.id: subscriber.description.strip() or host(subscriber.url) for subscriber in subscribers
    }
    count = Counter(names.values())
    return {id_: name if count[name] == 1 else f"{name} ({id_})" for id_, name in names.items()}


def without_query(url: str) -> str:
    """A URL for lists, without user and query, which may be secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{host(url)}{parts.path}"


def host(url: str) -> str:
    """The host of a URL, with its port if given; without user, path and query."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _existing(subscriber: Subscriber | None) -> Subscriber:
    if subscriber is None:
        raise NotFound("There is no subscriber with this id.")
    return subscriber


def _subscriber(row: Mapping[bytes, bytes]) -> Subscriber:
    fields = text_fields(row)
    return Subscriber(
        id=fields["id"],
        url=fields["url"],
        secret=decrypt(fields["secret"]),
        types=tuple(json.loads(fields["types"])),
        headers=json.loads(decrypt(fields["headers"])),
        description=fields["description"],
        ordered=fields["ordered"] == "1",
        traceparent=fields.get("traceparent") == "1",
        rate_per_s=float(fields.get("rate_per_s", 0)),
        created_at=from_ms(int(fields["created_ms"])),
        portal_generation=int(fields.get("portal_generation", 0)),
        old_secrets=tuple(
            (secret, from_ms(until_ms))
            for secret, until_ms in json.loads(decrypt(fields.get("old_secrets", "[]")))
        ),
    )
