"""The configuration of the embedded engine: every write is on disk before its reply, nothing is evicted."""

from pathlib import Path
from urllib.parse import unquote, urlsplit


def config_text(url: str, folder: Path) -> str:
    """The configuration of an engine that listens at ``url`` and keeps its data in ``folder``."""
    address = urlsplit(url)
    listening = (
        {"port": "0", "unixsocket": unquote(address.path), "unixsocketperm": "700"}
        if address.scheme == "unix"
        else {
            "port": str(address.port),
            "bind": str(address.hostname),
            "requirepass": str(address.password),
        }
    )
    options = {
        **listening,
        "dir": str(folder),
        "pidfile": str(folder / "engine.pid"),
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    return "".join(f"{name} {_quoted(value)}\n" for name, value in options.items())


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
