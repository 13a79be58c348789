"""Server-side scripts: changes in one atomic step."""

from importlib.resources import files
from typing import Any

from redis import Redis
from redis.commands.core import Script


def register(client: "Redis[Any]", name: str) -> Script:
    """The script ``name``.lua in this package, bound to ``client``; nothing is sent yet."""
    text = files(__name__).joinpath(f"{name}.lua").read_text("utf-8")
    return client.register_script(text)
