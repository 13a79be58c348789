"""Reads the settings from the environment and from ``.env``."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from environs import Env

from processor.errors import SettingsError
from processor.settings.definitions import Settings, definitions
from processor.settings.dotenv import dotenv_errors
from processor.settings.kinds import UNREADABLE
from processor.settings.misspelled import misspelled
from processor.settings.requirements import unmet_requirements

DOTENV = Path(".env")


def load(environ: Mapping[str, str], dotenv_path: Path | None = None, *, inbound: bool = True) -> Settings:
    """Read and validate every setting. Raises :class:`SettingsError`, which lists all mistakes.

    A name in ``environ`` takes precedence over the same name in the file ``dotenv_path``, which need not
    exist; a blank value means "not set". A process that receives no messages passes ``inbound=False``:
    then the secrets that authenticate Codat's messages may be missing.
    """
    env = _Environment(environ)
    values: dict[str, Any] = {}
    mistakes: list[str] = []
    if dotenv_path is not None:
        mistakes += dotenv_errors(dotenv_path)
        if not mistakes:
            env.read_env(dotenv_path, recurse=False)
    for field in dataclasses.fields(Settings):
        name, kind = field.name.upper(), field.metadata["kind"]
        if not env.has(name):
            continue
        try:
            env.str(name).encode()  # refuses a value in another encoding than UTF-8
            values[field.name] = kind.read(env, name)
        except UNREADABLE:
            mistakes.append(f"{name} must be {kind.phrase}.")
    mistakes += unmet_requirements(values)
    if inbound and not (env.has("CODAT_WEBHOOK_SECRETS") or env.has("CODAT_ALERT_AUTHORIZATIONS")):
        mistakes.append(
            "CODAT_WEBHOOK_SECRETS or CODAT_ALERT_AUTHORIZATIONS must be set: without either,"
            " nobody could tell Codat's messages from anybody's."
        )
    if mistakes:
        mistakes += misspelled(env.names(), _setting_names())
        raise SettingsError(mistakes, who="The service" if inbound else "The command")
    if env.has("DYNO"):
        values.setdefault("host", "0.0.0.0")  # noqa: S104 - Heroku's router connects from outside
    return Settings(**values)


def find_misspelled(environ: Mapping[str, str], dotenv_path: Path | None = None) -> list[str]:
    """A sentence for each variable that looks like a misspelled setting; see :func:`misspelled`."""
    env = _Environment(environ)
    if dotenv_path is not None and not dotenv_errors(dotenv_path):
        env.read_env(dotenv_path, recurse=False)
    return misspelled(env.names(), _setting_names())


def load_from_environment(*, inbound: bool = True) -> Settings:
    """Load the settings of this process from its environment and from ``.env`` in the current folder.

    ``inbound`` as in :func:`load`.
    """
    return load(os.environ, DOTENV, inbound=inbound)


class _Environment(Env):
    """environs on a mapping instead of ``os.environ``; a blank value counts as unset."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(eager=True)
        self._mapping = environ

    def names(self) -> list[str]:
        """The names of all variables with a value, settings or not."""
        return [name for name in {*self._mapping, *self._environ} if self.has(name)]

    def has(self, name: str) -> bool:
        """Whether the setting has a value."""
        return self._get_value(name, None) is not None

    def _get_value(self, env_key: str, default: Any) -> Any:
        text = self._mapping[env_key] if env_key in self._mapping else self._environ.get(env_key, "")
        return text.strip() or default


def _setting_names() -> list[str]:
    return [definition.name for definition in definitions()]
