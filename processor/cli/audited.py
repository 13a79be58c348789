"""Records the commands that may change something in the audit trail."""

import getpass
import logging
import socket
from http import HTTPStatus

import click
from redis import RedisError

from processor.access.audit import ActorKind, AuditedAction
from processor.container import Container
from processor.errors import ProcessorError

_log = logging.getLogger(__name__)

READ_ONLY = frozenset(
    {
        *("connections list", "connections show", "connections verify"),
        *("events list", "events show"),
        *("notifications list", "notifications show"),
        *("dead-letters list", "dead-letters deliveries"),
        *("subscribers list", "subscribers show"),
        *("companies list", "companies unknown", "companies consents", "companies journey"),
        *(
            "webhooks list",
            "webhooks secrets",
            "funnel",
            "migration",
            "conditions list",
            "operators sessions",
            "audit list",
            "audit export",
            "audit verify",
            "api-keys list",
        ),
    }
)
"""Commands that change nothing; every other command that opens the store is recorded."""

WITHOUT_TARGET = frozenset({"companies erase"})
"""Commands after which the id that they were given must not be in the store."""

WRITES_TRAIL = frozenset({"store import"})
"""Commands that write the trail itself: after a failure an entry would lie in the middle of another chain."""

TARGETS = (
    *("company_id", "connection_id", "event_id", "notification_id", "subscriber_id", "secret_id"),
    *("name", "condition", "older_than"),
)
"""Arguments that are recorded. Others may be secrets or addresses."""

MADE = "processor.cli.audited.made"
"""Where a command puts the id of what it made into the context's ``meta``, to have it recorded."""

SEVERAL_TARGETS = ("event_ids", "notification_ids")
MAX_TARGETS = 5


def record_failure(container: Container, error: BaseException) -> None:
    """Append an entry for a command that failed half-way; one that was refused or called off did nothing."""
    if _command() in WRITES_TRAIL:
        return
    is_refused = isinstance(error, ProcessorError) and error.status < HTTPStatus.INTERNAL_SERVER_ERROR
    if not is_refused and not isinstance(error, click.Abort | click.UsageError):
        record(container, "failed")


def record(container: Container, outcome: str) -> None:
    """Append an entry for the current command, unless it changes nothing."""
    context, command = click.get_current_context(), _command()
    if command in READ_ONLY:
        return
    targets = [str(context.params[name]) for name in TARGETS if context.params.get(name)]
    for name in SEVERAL_TARGETS:
        targets += context.params.get(name) or ()
    targets += [context.meta[MADE]] if MADE in context.meta else []
    shown = " ".join(targets[:MAX_TARGETS]) or None
    action = AuditedAction(
        ActorKind.COMMAND,
        actor_name(),
        command,
        None if command in WITHOUT_TARGET else shown,
        outcome,
    )
    try:
        container.audit.append(action)
    except (RedisError, ProcessorError):
        _log.warning("the command could not be kept in the audit trail", extra={"command": command})


def _command() -> str:
    """The current command with its group, as in ``READ_ONLY``."""
    return click.get_current_context().command_path.partition(" ")[2]


def actor_name() -> str:
    """Who runs this command, on which machine."""
    return f"{_user()}@{socket.gethostname()}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user id without a name, as in some containers
        return "unknown"
