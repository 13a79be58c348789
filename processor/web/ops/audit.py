"""The page of the audit trail."""

from typing import Any

from flask import Response

from processor.access.audit import ActorKind
from processor.resources import serializers
from processor.web.dependencies import get_container
from processor.web.ops import csv_export, rendering
from processor.web.ops.rendering import blueprint
from processor.web.v1.parameters import AuditQuery

COLUMNS = ("number", "at", "kind", "actor", "action", "target", "outcome", "address", "hash")
KINDS = tuple(kind.value for kind in ActorKind)


@blueprint.get("/audit")
def audit_trail() -> Response:
    """What operators, API keys, commands and receivers did, newest first."""
    query = rendering.query_of(AuditQuery)
    if csv_export.is_wanted():
        return csv_export.response("audit", COLUMNS, _page, query)
    return rendering.page("audit", page=_page(**query), query=query, kinds=KINDS)


def _page(**query: Any) -> dict[str, Any]:
    return serializers.page(get_container().audit.entries(**query))
