"""Operators and API keys as the settings name them, and the roles and scopes that they have."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

USER = "operator"
"""The operator of OPERATOR_PASSWORD, who is an admin."""

ENCRYPTION_KEY_BYTES = 32
_PASSWORD_HASH = re.compile(
    r"(?:scrypt(?::([1-9][0-9]{0,7}):[1-9][0-9]?:[1-9][0-9]?)?|pbkdf2:sha(?:1|224|256|384|512)"
    r"(?::[1-9][0-9]{0,7})?)\$[!-#%-~]+\$[!-#%-~]+"
)
"""What werkzeug's ``generate_password_hash`` writes; the group is the cost of scrypt, a power of two."""

_NAME = re.compile(r"[A-Za-z0-9._@+-]{1,64}")
_HASHED = re.compile(r"sha256:[0-9a-f]{64}")


class Role(IntEnum):
    """What an operator may do; each role may also do what the ones before it may."""

    VIEWER = 1
    """Reads every page."""
    OPERATOR = 2
    """Mends: replays, redelivers, asks Codat, hands out links."""
    ADMIN = 3
    """Changes who is told and who has access, and removes."""

    @property
    def label(self) -> str:
        """The name in settings and on pages."""
        return self.name.lower()


class Scope(StrEnum):
    """What an API key may do; ``write`` includes ``read``, and ``admin`` both."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


ALL_SCOPES = frozenset(Scope)
_INCLUDED = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.WRITE: frozenset({Scope.READ, Scope.WRITE}),
    Scope.ADMIN: ALL_SCOPES,
}


@dataclass(frozen=True, slots=True)
class OperatorAccount:
    """An operator of OPERATORS."""

    name: str
    role: Role
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key: its name, what it may do, and the SHA-256 of the key itself in hex."""

    name: str
    scopes: frozenset[Scope]
    digest: str = field(repr=False)

    def matches(self, key: str) -> bool:
        """Whether ``key`` is this key; runs in constant time."""
        return hmac.compare_digest(self.digest, digest_of(key))


def digest_of(key: str) -> str:
    """The digest under which a key is kept: keys are random, so a fast hash is enough."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def scopes_of(text: str) -> frozenset[Scope]:
    """The scopes in ``read+write``, with those that they include. Raises ``ValueError``."""
    return frozenset().union(*(_INCLUDED[Scope(word)] for word in text.split("+")))


def is_name(text: str) -> bool:
    """Whether a text can be the name of an operator or of a key."""
    return _NAME.fullmatch(text) is not None


def role_of(text: str) -> Role:
    """The role by its name. Raises ``ValueError``."""
    try:
        return Role[text.upper()]
    except KeyError:
        raise ValueError("no role") from None


def operator_of(entry: str) -> OperatorAccount:
    """The operator in ``name:role:hash``. Raises ``ValueError``."""
    name, _, rest = entry.partition(":")
    role, _, password_hash = rest.partition(":")
    if not is_name(name) or name == USER:
        raise ValueError("not a name")
    match = _PASSWORD_HASH.fullmatch(password_hash)
    if match is None or int(match[1] or 2).bit_count() != 1 or match[1] == "1":
        raise ValueError("not a hash")
    return OperatorAccount(name, role_of(role), password_hash)


def api_key_of(entry: str, number: int) -> ApiKey:
    """The key in ``name:scope+scope:key``, ``name:scope+scope:sha256:HEX``, or a plain one.

    A plain key has every scope and is called ``key-NUMBER``. What does not have the form of the others is
    plain, so that no key that worked before stops.
    """
    name, _, rest = entry.partition(":")
    scopes, _, key = rest.partition(":")
    words = set(scopes.split("+"))
    if not (is_name(name) and key and words <= set(Scope)):
        return ApiKey(f"key-{number}", ALL_SCOPES, digest_of(entry))
    is_hashed = _HASHED.fullmatch(key) is not None
    return ApiKey(name, scopes_of(scopes), key.removeprefix("sha256:") if is_hashed else digest_of(key))


def checked_operators(entries: tuple[str, ...]) -> tuple[str, ...]:
    """The entries of OPERATORS. Raises ``ValueError`` for a wrong one, or a name twice."""
    return _with_names(entries, [operator_of(entry).name for entry in entries])


def checked_api_keys(entries: tuple[str, ...]) -> tuple[str, ...]:
    """The entries of API_KEYS. Raises ``ValueError`` for a name twice."""
    return _with_names(entries, [api_key_of(entry, number).name for number, entry in enumerate(entries, 1)])


def checked_encryption_keys(values: tuple[str, ...]) -> tuple[str, ...]:
    """Keys of 32 bytes in base64 for addresses. Raises ``ValueError``."""
    for value in values:
        if len(base64.b64decode(value, altchars=b"-_", validate=True)) != ENCRYPTION_KEY_BYTES:
            raise ValueError("not a key")
    return values


def roles_of_groups(entries: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The pairs in entries ``group=role``. Raises ``ValueError``."""
    pairs = [entry.rpartition("=") for entry in entries]
    if not all(group.strip() for group, _, _ in pairs):
        raise ValueError("no group")
    return tuple((group.strip(), role_of(role.strip()).label) for group, _, role in pairs)


def _with_names(entries: tuple[str, ...], names: list[str]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("a name twice")
    return entries


def masked_parts(entry: str) -> tuple[str, ...]:
    """The parts of an entry of API_KEYS or OPERATORS that are secrets, to mask them in log lines."""
    return entry, entry.split(":", 2)[-1]
