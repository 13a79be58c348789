"""Reads the settings from the environment and from ``.env``."""

import dataclasses
import io
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from processor.errors import SettingsError
from processor.settings.definitions import Settings, definitions
from processor.settings.misspelled import misspelled
from processor.settings.redis_address import AddressMistake
from processor.settings.requirements import unmet_requirements

DOTENV = Path(".env")


def load(environ: Mapping[str, str], dotenv_path: Path | None = None, *, inbound: bool = True) -> Settings:
    """Read and validate every setting. Raises :class:`SettingsError`, which lists all mistakes.

    A name in ``environ`` takes precedence over the same name in the file ``dotenv_path``, which need not
    exist; a blank value means "not set". A process that receives no messages passes ``inbound=False``:
    then the secrets that authenticate Codat's messages may be missing.
    """
    mistakes = _dotenv_errors(dotenv_path)
    variables = read_variables(environ, dotenv_path)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Settings):
        name, kind = field.name.upper(), field.metadata["kind"]
        if name not in variables:
            continue
        try:
            variables[name].encode()  # refuses a value in another encoding than UTF-8
            values[field.name] = kind.read(variables[name])
        except AddressMistake as mistake:
            mistakes.append(f"{name} {mistake}.")
        except ValueError:
            mistakes.append(f"{name} must be {kind.phrase}.")
    mistakes += unmet_requirements(values)
    if inbound and not variables.keys() & {"CODAT_WEBHOOK_SECRETS", "CODAT_ALERT_AUTHORIZATIONS"}:
        mistakes.append(
            "CODAT_WEBHOOK_SECRETS or CODAT_ALERT_AUTHORIZATIONS must be set: without either,"
            " nobody could tell Codat's messages from anybody's."
        )
    if mistakes:
        mistakes += _misspelled(variables)
        raise SettingsError(mistakes, who="The service" if inbound else "The command")
    if "DYNO" in variables:
        values.setdefault("host", "0.0.0.0")  # noqa: S104 - Heroku's router connects from outside
    return Settings(**values)


def find_misspelled(environ: Mapping[str, str], dotenv_path: Path | None = None) -> list[str]:
    """A sentence for each variable that looks like a misspelled setting; see :func:`misspelled`."""
    return _misspelled(read_variables(environ, dotenv_path))


def load_from_environment(*, inbound: bool = True) -> Settings:
    """Load the settings of this process from its environment and from ``.env`` in the current folder.

    ``inbound`` as in :func:`load`.
    """
    return load(os.environ, DOTENV, inbound=inbound)


def read_variables(environ: Mapping[str, str], dotenv_path: Path | None) -> dict[str, str]:
    """Every variable that is not blank, settings or not; a file with mistakes counts as empty."""
    from_file = {} if dotenv_path is None or _dotenv_errors(dotenv_path) else dotenv_values(dotenv_path)
    texts = {name: (text or "").strip() for name, text in {**from_file, **environ}.items()}
    return {name: text for name, text in texts.items() if text}


def _dotenv_errors(path: Path | None) -> list[str]:
    """A sentence for each mistake in ``.env``, without its values; empty if there is no file."""
    if path is None:
        return []
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return [f"{path.name} must be text in UTF-8; line {line} is not."]
    except OSError as error:
        return [f"{path.name} cannot be read: {error.strerror}."]
    return [
        f"{path.name} must have lines of the form NAME=value; line {binding.original.line} has another."
        for binding in parse_stream(io.StringIO(text))
        if binding.error or (binding.key is not None and binding.value is None)
    ]


def _misspelled(variables: Collection[str]) -> list[str]:
    return misspelled(variables, [definition.name for definition in definitions()])
