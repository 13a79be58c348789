"""The page of the audit trail."""

from flask import Response

from processor.access.audit import ActorKind
from processor.web.dependencies import get_container
from processor.web.ops import rendering
from processor.web.ops.rendering import blueprint
from processor.web.v1.parameters import AuditQuery

KINDS = tuple(kind.value for kind in ActorKind)


@blueprint.get("/audit")
def audit_trail() -> Response:
    """What operators, API keys and commands did, newest first."""
    query = rendering.query_of(AuditQuery)
    page = get_container().audit.entries(**query)
    items = {"items": page.items, "next_cursor": page.next_cursor}
    return rendering.page("audit", page=items, query=query, kinds=KINDS)
