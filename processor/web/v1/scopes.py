"""The scope that each call requires of an API key."""

from processor.errors import Forbidden
from processor.settings.people import ApiKey, Scope

READING = frozenset({"GET", "HEAD", "OPTIONS"})

ADMIN_CALLS = frozenset(
    {
        *("add_subscriber", "change_subscriber", "remove_subscriber", "rotate_secret"),
        *("delete_company", "revoke_links", "list_audit"),
    }
)
"""Calls, by operation id, that decide who is told or who has access, or that remove a company."""


class ScopeMissing(Forbidden):
    """The API key is valid and does not have the scope of this call."""

    code = "scope_missing"
    remedy = "Use a key with the scope that `detail` names, or have one made: `codat-processor api-keys add`."
    title = "The key does not allow this"

    def __init__(self, scope: Scope) -> None:
        super().__init__(f"This call requires an API key with the scope `{scope}`.")
        self.scope = scope

    def headers(self) -> dict[str, str]:
        """``WWW-Authenticate`` with the missing scope (RFC 6750, 3.1)."""
        return {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{self.scope}"'}


def needed_scope(method: str, operation: str) -> Scope:
    """The scope that a call requires; ``operation`` is its operation id, the name of its view."""
    if operation in ADMIN_CALLS:
        return Scope.ADMIN
    return Scope.READ if method in READING else Scope.WRITE


def check(key: ApiKey, method: str, operation: str) -> None:
    """Raise :class:`ScopeMissing` unless the key has the scope of the call."""
    scope = needed_scope(method, operation)
    if scope not in key.scopes:
        raise ScopeMissing(scope)
