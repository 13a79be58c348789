"""Groups of companies: companies whose callers gave them the same ``group`` are shown together."""

from collections.abc import Callable, Mapping
from typing import Any

from redis import Redis

from processor.store import keys
from processor.store.decoding import texts

MOST_SHOWN = 50
"""Companies of a group that are shown beside one of them."""


class Groups:
    """Knows which companies belong together. Every method may raise ``redis.RedisError``.

    A company says itself which group it is in; the index of a group may name companies that left it.
    """

    def __init__(self, client: "Redis[Any]", company: Callable[[str], Mapping[str, str] | None]) -> None:
        self._client, self._company = client, company

    def move(self, company_id: str, before: str | None, group: str | None) -> None:
        """Note that the company is in this group now, and not in the one before; neither may exist."""
        if before and before != group:
            self._client.srem(keys.company_group(before), company_id)
        if group:
            self._client.sadd(keys.company_group(group), company_id)

    def listed(self, company_id: str, group: str | None) -> list[dict[str, str | None]]:
        """The public representation of those companies."""
        return [
            {
                "id": row["id"],
                "company_id": row["id"],
                "merchant_id": row.get("merchant_id"),
                "name": row.get("given_name") or row.get("name"),
            }
            for row in self.others(company_id, group)
        ]

    def others(self, company_id: str, group: str | None, most: float = MOST_SHOWN) -> list[Mapping[str, str]]:
        """The fields of ``most`` other companies of the group that exist, by name."""
        if not group:
            return []
        ids = sorted(texts(self._client.smembers(keys.company_group(group))))
        rows: list[Mapping[str, str]] = []
        for other_id in ids:
            if len(rows) >= most:
                break
            row = self._company(other_id)
            if row is None or row.get("group") != group:
                self._client.srem(keys.company_group(group), other_id)
            elif other_id != company_id:
                rows.append(row)
        return sorted(rows, key=lambda row: (row.get("given_name") or row.get("name") or "", row["id"]))
