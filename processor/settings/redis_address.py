"""Where Redis is: one server, the primary that Sentinels name, or a cluster; read strictly from a URL."""

from dataclasses import dataclass
from enum import Enum
from urllib.parse import parse_qsl, unquote, urlsplit

from redis import ConnectionPool

PLAIN_SCHEMES = ("redis", "rediss", "unix")
SENTINEL_PORT = 26379
SERVER_PORT = 6379

TIME_OPTIONS = ("socket_timeout", "socket_connect_timeout")
SENTINEL_OPTIONS = ("sentinel_username", "sentinel_password")


class EngineKind(Enum):
    """What an address leads to."""

    SERVER = "server"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


_SCHEMES = {
    "redis+sentinel": (EngineKind.SENTINEL, False),
    "rediss+sentinel": (EngineKind.SENTINEL, True),
    "redis+cluster": (EngineKind.CLUSTER, False),
    "rediss+cluster": (EngineKind.CLUSTER, True),
}


class AddressMistake(ValueError):
    """What is wrong with a URL, as the rest of a sentence that begins with its name; shows no part of it."""


@dataclass(frozen=True, slots=True, repr=False)
class RedisAddress:
    """A parsed URL. ``nodes`` are the Sentinels, or some nodes of the cluster.

    ``timeouts`` are the options of the URL in seconds, by their names in redis-py.
    """

    kind: EngineKind
    url: str
    nodes: tuple[tuple[str, int], ...] = ()
    tls: bool = False
    username: str | None = None
    password: str | None = None
    service: str = ""
    database: int = 0
    timeouts: tuple[tuple[str, float], ...] = ()
    sentinel_username: str | None = None
    sentinel_password: str | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The passwords in the URL, as they are and as they are written."""
        return tuple(filter(None, (self.password, self.sentinel_password)))


def kind_of(url: str) -> EngineKind:
    """The kind of engine that a URL leads to, by its scheme alone."""
    return _SCHEMES.get(url.partition("://")[0], (EngineKind.SERVER, False))[0]


def parse(text: str) -> RedisAddress:
    """Parse a URL. Raises :class:`AddressMistake`, or ``ValueError`` if it has no form that is known."""
    scheme = text.partition("://")[0]
    if scheme not in _SCHEMES:
        _check_plain(text)
        return RedisAddress(EngineKind.SERVER, text, tls=scheme == "rediss")
    kind, tls = _SCHEMES[scheme]
    if not text.isprintable() or " " in text or "#" in text:
        raise AddressMistake("must not contain blanks or `#`; write them as %20 and %23")
    parts = urlsplit(text)
    account, at, hosts = parts.netloc.rpartition("@")
    username, _, password = account.partition(":")
    if at and not password:
        raise AddressMistake(
            "has an `@` before its hosts, but no password: write user:password@ or :password@"
        )
    path = parts.path.removeprefix("/")
    service, database = _service(path) if kind is EngineKind.SENTINEL else ("", _no_path(path))
    options = _options(parts.query, TIME_OPTIONS + (SENTINEL_OPTIONS if kind is EngineKind.SENTINEL else ()))
    return RedisAddress(
        kind,
        text,
        nodes=_nodes(hosts, SENTINEL_PORT if kind is EngineKind.SENTINEL else SERVER_PORT),
        tls=tls,
        username=unquote(username) or None,
        password=unquote(password) or None,
        service=service,
        database=database,
        timeouts=tuple((name, _seconds(options[name])) for name in TIME_OPTIONS if name in options),
        sentinel_username=options.get("sentinel_username"),
        sentinel_password=options.get("sentinel_password"),
    )


def _check_plain(text: str) -> None:
    """Raise ``ValueError`` unless redis-py can use the URL; it finds some mistakes only when it connects."""
    parts = urlsplit(text)
    if parts.scheme not in PLAIN_SCHEMES or parts.port == 0 or not text.isprintable() or " " in text:
        raise ValueError("not such a URL")
    if not (parts.path if parts.scheme == "unix" else parts.hostname):
        raise ValueError("nowhere")
    database = "" if parts.scheme == "unix" else parts.path.removeprefix("/")
    if database and not (database.isascii() and database.isdigit()):
        raise ValueError("not the number of a database")
    try:
        pool = ConnectionPool.from_url(text)
        pool.connection_class(**pool.connection_kwargs)
    except Exception:  # an option may raise anything, and the text could quote the password
        raise ValueError("not usable") from None


def _nodes(hosts: str, port: int) -> tuple[tuple[str, int], ...]:
    """The hosts of a comma-separated list, each with its port; ``port`` where it names none."""
    nodes = []
    for number, node in enumerate(hosts.split(","), 1):
        which = f"names no host and port that can be used at place {number} of its list"
        try:
            parts = urlsplit(f"//{node}")
            host, given = parts.hostname, parts.port
        except ValueError:
            raise AddressMistake(which) from None
        if not host or given == 0 or node != parts.netloc:
            raise AddressMistake(which)
        nodes.append((host, given or port))
    if len(set(nodes)) != len(nodes):
        raise AddressMistake("names a host twice")
    return tuple(nodes)


def _service(path: str) -> tuple[str, int]:
    service, _, database = path.partition("/")
    if not service:
        raise AddressMistake("must end with /SERVICE, the name under which the Sentinels watch the primary")
    if database and not (database.isascii() and database.isdigit()):
        raise AddressMistake("must have nothing behind /SERVICE but the number of a database")
    return unquote(service), int(database or 0)


def _no_path(path: str) -> int:
    if path not in ("", "0"):
        raise AddressMistake("must not name a database: a cluster has one alone")
    return 0


def _options(query: str, known: tuple[str, ...]) -> dict[str, str]:
    try:
        rows = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise AddressMistake("has options that cannot be read") from None
    names = [name for name, _ in rows]
    if set(names) - set(known) or len(set(names)) != len(names):
        raise AddressMistake(f"must have no other options than {', '.join(known)}, each once")
    return dict(rows)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < 3600:
        raise AddressMistake(f"must give {' and '.join(TIME_OPTIONS)} as seconds")
    return seconds
