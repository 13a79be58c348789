"""Finds mistakes in a file ``.env``, which the libraries ignore silently."""

import io
from pathlib import Path

from dotenv.parser import parse_stream


def dotenv_errors(path: Path) -> list[str]:
    """A sentence for each mistake in the file, without its values; empty if there is no file."""
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
