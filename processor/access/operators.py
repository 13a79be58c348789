"""The operators of the settings, and how they prove who they are."""

import functools
import hashlib
import hmac
from dataclasses import dataclass

from werkzeug.security import check_password_hash, generate_password_hash

from processor.settings.definitions import Settings
from processor.settings.people import USER, OperatorAccount, Role, operator_of

LONGEST_PASSWORD = 1_024
PASSWORD, SSO = "password", "oidc"
"""Ways to sign in, as sessions and the audit trail name them."""

_KEY_ROUNDS = 200_000
_KEY_SALT = b"codat-processor forms of operators"


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator who is signed in."""

    name: str
    role: Role


def accounts(settings: Settings) -> dict[str, OperatorAccount]:
    """The operators of OPERATORS by name."""
    return {account.name: account for account in map(operator_of, settings.operators)}


def is_sign_in_configured(settings: Settings) -> bool:
    """Whether any operator can sign in."""
    return bool(settings.operator_password or settings.operators or settings.oidc_issuer)


def is_password_of_user(settings: Settings, user: bytes, password: bytes) -> bool:
    """Whether these are ``operator`` and OPERATOR_PASSWORD; runs in constant time."""
    expected = (settings.operator_password or "").encode()
    is_user = hmac.compare_digest(_digest(user), _digest(USER.encode()))
    is_password = hmac.compare_digest(_digest(password), _digest(expected))
    return is_user and is_password and bool(expected)


def sign_in(settings: Settings, name: str, password: str) -> Operator | None:
    """The operator with this name and password; a wrong name takes as long as a wrong password."""
    if len(password) > LONGEST_PASSWORD:
        return None
    if settings.operator_password and name == USER:
        is_right = is_password_of_user(settings, name.encode(), password.encode())
        return Operator(USER, Role.ADMIN) if is_right else None
    account = accounts(settings).get(name)
    is_right = check_password_hash(account.password_hash if account else _unknown_hash(), password)
    return Operator(name, account.role) if account and is_right else None


def fingerprint(settings: Settings, name: str) -> str | None:
    """A digest that changes with the operator's password; ``None`` for an unknown operator."""
    if name == USER and settings.operator_password:
        return _digest(form_key(settings.operator_password).encode()).hex()
    account = accounts(settings).get(name)
    return _digest(account.password_hash.encode()).hex() if account else None


@functools.lru_cache(maxsize=4)
def form_key(password: str) -> str:
    """A key derived from OPERATOR_PASSWORD, the same in every process, that does not reveal it."""
    return hashlib.pbkdf2_hmac("sha256", password.encode(), _KEY_SALT, _KEY_ROUNDS).hex()


@functools.cache
def _unknown_hash() -> str:
    """A hash that is checked for a name that does not exist."""
    return generate_password_hash("no operator has this password")


def _digest(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()
