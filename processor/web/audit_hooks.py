"""Records what operators and API keys did, after the response is known."""

import logging
from dataclasses import asdict, replace
from http import HTTPStatus

from flask import Response, request
from redis import RedisError

from processor.access.audit import ActorKind, AuditedAction, log_action
from processor.clock import to_iso
from processor.codat.json_values import folded
from processor.errors import StoreUnavailable
from processor.store import keys
from processor.web import windows
from processor.web.dependencies import get_container, refusal_log

_log = logging.getLogger(__name__)

MAX_REFUSALS = 10
"""Entries of one actor within ``WINDOW_S`` about what its role or its scopes do not allow."""

WINDOW_S = 60


def record(
    kind: ActorKind,
    actor: str,
    action: str,
    *,
    target: str | None = None,
    response: Response | None = None,
) -> None:
    """Append an entry for the current request; while Redis is away it is in the log alone.

    Without a ``response`` the action succeeded.

    No value of a form or a body is recorded, because it may be a secret. Who may only read could push what
    others did out of the trail, so refusals beyond ``MAX_REFUSALS`` are in the log alone. An id that names
    nothing, or an erased company, is left out.
    """
    container = get_container()
    status = HTTPStatus.OK if response is None else response.status_code
    ids = [] if status == HTTPStatus.NOT_FOUND else [target] if target else _ids()
    entry = AuditedAction(
        kind, actor, action, " ".join(ids) or None, _outcome_of(status), request.remote_addr
    )
    try:
        if status == HTTPStatus.FORBIDDEN and _refused_too_often(kind, actor):
            sentence = "refusals of one actor were not kept in the audit trail"
            refusal_log().warn(_log, sentence, reason="too many", actor=actor, action=action)
            return
        if any(container.reader.erased_at(folded(id_)) for id_ in ids):
            entry = replace(entry, target=None)
        log_action(container.audit.append(entry))
    except (RedisError, StoreUnavailable):
        _log.exception("an action could not be kept in the audit trail")
        log_action({"at": to_iso(container.clock()), **asdict(entry)})


def _refused_too_often(kind: ActorKind, actor: str) -> bool:
    """Count a refusal of this actor. Raises ``redis.RedisError``."""
    return windows.count(keys.attempts("audited", f"{kind}:{actor}"), WINDOW_S) > MAX_REFUSALS


def _ids() -> list[str]:
    """The ids in the address."""
    return [str(value) for name, value in (request.view_args or {}).items() if name.endswith(("id", "id_"))]


def _outcome_of(status: int) -> str:
    if status < 400:
        return "done"
    return f"refused {status}" if status < 500 else f"failed {status}"
