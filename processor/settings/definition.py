"""How one setting is defined, as a field of a dataclass with its kind and its help."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processor.settings.kinds import SettingKind


@dataclass(frozen=True, slots=True)
class SettingDefinition:
    """One setting as the documentation shows it; ``default`` is written as in ``.env``."""

    name: str
    default: str
    kind: SettingKind
    help: str
    secret: bool


def setting(kind: SettingKind, help: str, default: Any = None, *, secret: bool = False) -> Any:
    """Define a field of :class:`Settings`; ``repr`` does not show a secret one."""
    metadata = {"kind": kind, "help": help, "secret": secret}
    return dataclasses.field(default=default, repr=not secret, metadata=metadata)


def definitions_of(table: type[Any]) -> tuple[SettingDefinition, ...]:
    """The definitions of the fields of ``table``, in order."""
    return tuple(
        SettingDefinition(field.name.upper(), _format_default(field.default), **field.metadata)
        for field in dataclasses.fields(table)
    )


def _format_default(default: Any) -> str:
    if default is None or default == ():
        return ""
    if isinstance(default, Path):
        return f"./{default}"
    if isinstance(default, tuple):
        return ",".join(default)
    return str(default).lower() if isinstance(default, bool) else f"{default}"
