"""Encrypts every stored secret and contact with the first of ENCRYPTION_KEYS."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from processor.store import each_cell, encryption, keys
from processor.store.decoding import text, texts

SUBSCRIBER_FIELDS = ("secret", "old_secrets", "headers")
COMPANY_FIELDS = ("contact_email",)
"""Fields of hashes that are stored encrypted."""


@dataclass(slots=True)
class ReencryptionResult:
    """Numbers of values: changed now, current before, and not decrypted by any key."""

    changed: int = 0
    current: int = 0
    unreadable: int = 0


def reencrypt(client: "Redis[Any]") -> ReencryptionResult:
    """Go through subscribers, signing secrets and companies; it can be repeated. Raises ``RedisError``."""
    result = ReencryptionResult()
    for name, fields in _hashes(client):
        stored = dict(zip(fields, client.hmget(name, list(fields)), strict=True))
        for field, value in stored.items():
            if value is not None:
                _reencrypt_field(client, name, field, text(value), result)
    return result


def _reencrypt_field(
    client: "Redis[Any]", name: str, field: str, seen: str, result: ReencryptionResult
) -> None:
    if encryption.is_current(seen):
        result.current += 1
        return
    try:
        replacement = encryption.encrypt(encryption.decrypt(seen))
    except encryption.KeyMissing:
        result.unreadable += 1
        return

    def replace(pipe: Any) -> None:
        is_same = pipe.hget(name, field) == seen.encode("utf-8", "surrogatepass")
        pipe.multi()
        if is_same:  # else it was changed just now, and encrypted with the first key
            pipe.hset(name, field, replacement)

    client.transaction(replace, name)  # type: ignore[no-untyped-call]
    result.changed += 1


def _hashes(client: "Redis[Any]") -> Iterator[tuple[str, Sequence[str]]]:
    """The keys of hashes with encrypted fields, and those fields."""
    for subscriber_id in texts(client.zrange(keys.subscribers(), 0, -1)):
        yield keys.subscriber(subscriber_id), SUBSCRIBER_FIELDS
    if secrets := texts(client.hkeys(keys.webhook_secrets())):
        yield keys.webhook_secrets(), secrets
    for company_id in each_cell.members(client, keys.companies):
        yield keys.company(company_id), COMPANY_FIELDS
        for table in (keys.people(company_id), keys.consenters(company_id)):
            if people := texts(client.hkeys(table)):
                yield table, people
