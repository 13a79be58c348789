"""Server-side scripts: changes in one atomic step."""

from importlib.resources import files
from typing import Any

from redis import Redis
from redis.commands.core import Script


def register(client: "Redis[Any]", *names: str, package: str = __name__) -> Script:
    """The files ``names`` of ``package``, without ``.lua``, as one script of ``client``. Sends nothing."""
    parts = (files(package).joinpath(f"{name}.lua").read_text("utf-8") for name in names)
    return client.register_script("\n".join(parts))
