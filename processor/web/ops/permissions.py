"""The role that each page and action of the operators' pages requires."""

from collections.abc import Mapping

from processor.errors import Forbidden
from processor.settings.people import Role
from processor.web.v1.scopes import READING

NEEDED: Mapping[str, Role] = {
    "sign_out": Role.VIEWER,
    "condition_action": Role.OPERATOR,
    "condition_action register_consumer": Role.ADMIN,
    "handle": Role.OPERATOR,
    "handle_several": Role.OPERATOR,
    "redeliver": Role.OPERATOR,
    "ask_codat": Role.OPERATOR,
    "read_now": Role.OPERATOR,
    "fresh_link": Role.OPERATOR,
    "make_link": Role.OPERATOR,
    "replay_messages": Role.OPERATOR,
    "verify": Role.OPERATOR,
    "change_subscriber enable": Role.OPERATOR,
    "change_subscriber disable": Role.OPERATOR,
    "change_subscriber test": Role.OPERATOR,
    "change_subscriber send_missed": Role.OPERATOR,
}
"""The role by view, or by view and the form's ``action``; every other change requires an admin."""


class RoleTooLow(Forbidden):
    """The operator's role does not allow this."""

    code = "role_too_low"
    remedy = "Ask an operator with a higher role, or have your role changed in OPERATORS or OIDC_GROUPS."
    title = "Your role does not allow this"


def needed_role(method: str, view: str, action: str = "") -> Role:
    """The role that a request requires; ``view`` is the name of the view function."""
    if method in READING:
        return Role.VIEWER
    return NEEDED.get(f"{view} {action}", NEEDED.get(view, Role.ADMIN))


def check(role: Role, method: str, view: str, action: str = "") -> None:
    """Raise :class:`RoleTooLow` unless ``role`` allows the request."""
    needed = needed_role(method, view, action)
    if role < needed:
        raise RoleTooLow(f"You are signed in as {role.label}; this requires the role {needed.label}.")
