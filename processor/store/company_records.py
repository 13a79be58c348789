"""A company's hash as a record, and a change of it as fields of the hash."""

import json
from collections.abc import Mapping

from handlers.company import CompanyChange, CompanyRecord
from processor.clock import from_iso, to_iso


def company_record(row: Mapping[str, str]) -> CompanyRecord:
    """The record in a hash; tags that cannot be read count as none.

    Raises ``ValueError`` for a time that cannot be read.
    """
    return CompanyRecord(
        name=row.get("name"),
        merchant_id=row.get("merchant_id") or None,
        tags=_tags(row.get("tags", "{}")),
        tagged_at=from_iso(row["tagged_at"]) if "tagged_at" in row else None,
        deleted_at=from_iso(row["deleted_at"]) if "deleted_at" in row else None,
        deleted_by=row.get("deleted_by"),
        first_heard_at=from_iso(row["first_heard"]) if "first_heard" in row else None,
    )


def changed_fields(company_id: str, change: CompanyChange) -> dict[str, str]:
    """The fields of the company's hash that ``change`` writes."""
    fields = {
        "name": change.name,
        "merchant_id": change.merchant_id,
        "tags": json.dumps(change.tags, ensure_ascii=False) if change.tags else None,
        "tagged_at": to_iso(change.tagged_at) if change.tagged_at else None,
        "deleted_at": to_iso(change.deleted_at) if change.deleted_at else None,
        "deleted_by": change.deleted_by,
        "first_heard": to_iso(change.first_heard_at) if change.first_heard_at else None,
    }
    return {"id": company_id} | {name: value for name, value in fields.items() if value is not None}


def _tags(document: str) -> dict[str, str]:
    try:
        tags = json.loads(document)
    except ValueError:
        return {}
    return tags if isinstance(tags, dict) else {}
