"""Records what operators and API keys did, after the response is known."""

import logging

from flask import Response, request
from redis import RedisError

from processor.access.audit import ActorKind, AuditedAction, log_action
from processor.clock import to_iso
from processor.errors import StoreUnavailable
from processor.web.dependencies import get_container

_log = logging.getLogger(__name__)

ID_IN_QUERY = "-"


def record(
    kind: ActorKind, actor: str, action: str, outcome: Response | str, target: str | None = None
) -> None:
    """Append an entry for the current request; while Redis is away it is in the log alone.

    No value of a form or a body is recorded, because it may be a secret.
    """
    container = get_container()
    ended = outcome if isinstance(outcome, str) else _outcome_of(outcome.status_code)
    entry = AuditedAction(kind, actor, action, target or _target(), ended, request.remote_addr)
    try:
        log_action(container.audit.append(entry))
    except (RedisError, StoreUnavailable):
        _log.exception("an action could not be kept in the audit trail")
        log_action(
            {
                "at": to_iso(container.clock()),
                "kind": kind,
                "actor": actor,
                "action": action,
                "target": entry.target,
                "outcome": ended,
                "address": entry.address,
            }
        )


def _target() -> str | None:
    """The ids in the address."""
    ids = [str(value) for name, value in (request.view_args or {}).items() if name.endswith(("id", "id_"))]
    if ids == [ID_IN_QUERY]:
        ids = [request.args.get("id", "")]
    return " ".join(ids) or None


def _outcome_of(status: int) -> str:
    if status < 400:
        return "done"
    return f"refused {status}" if status < 500 else f"failed {status}"
