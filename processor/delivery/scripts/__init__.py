"""Server-side scripts of the lanes: steps that must be atomic.

Each starts with ``common.lua``, gets all of its keys as ``KEYS``, and these share one hash tag.
"""

from importlib.resources import files
from typing import Any

from redis import Redis
from redis.commands.core import Script


def register(client: "Redis[Any]", name: str) -> Script:
    """The script ``name`` (a file in this package without its suffix), bound to ``client``. Sends nothing."""
    folder = files(__name__)
    parts = (folder.joinpath(f"{part}.lua").read_text("utf-8") for part in ("common", name))
    return client.register_script("\n".join(parts))
