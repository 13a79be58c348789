"""Server-side scripts of the lanes: steps that must be atomic.

Each starts with ``common.lua``, gets all of its keys as ``KEYS``, and these share one hash tag.
"""

from typing import Any

from redis import Redis
from redis.commands.core import Script

from processor.store import scripts


def register(client: "Redis[Any]", name: str) -> Script:
    """The script ``name`` (a file in this package without its suffix), bound to ``client``. Sends nothing."""
    return scripts.register(client, "common", name, package=__name__)
