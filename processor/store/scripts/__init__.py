"""Server-side scripts: changes in one atomic step."""

from functools import cache
from importlib.resources import files
from typing import Any

from redis import Redis
from redis.commands.core import Script


def register(client: "Redis[Any]", *names: str, package: str = __name__) -> Script:
    """The files ``names`` of ``package``, without ``.lua``, as one script of ``client``. Sends nothing."""
    return client.register_script("\n".join(_text(package, name) for name in names))


@cache
def _text(package: str, name: str) -> str:
    """The text of a file, read once by each process."""
    return files(package).joinpath(f"{name}.lua").read_text("utf-8")
