"""Server-side scripts of the lanes: what has to happen in one atomic step.

Each begins with ``common.lua``. Some make the names of further keys from prefixes that they are given,
which a Redis Cluster would not allow; nothing else here would run on one either.
"""

from importlib.resources import files
from typing import Any

from redis import Redis
from redis.commands.core import Script


def register(client: "Redis[Any]", name: str) -> Script:
    """The script ``name`` (a file here without its ending), bound to ``client``; sends nothing yet."""
    folder = files(__name__)
    parts = (folder.joinpath(f"{part}.lua").read_text("utf-8") for part in ("common", name))
    return client.register_script("\n".join(parts))
