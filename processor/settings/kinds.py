"""The kinds of values that a setting can have: how each is read, and the phrase that describes it.

A kind turns the text of an environment variable into a value, or raises ``ValueError``. The error message
shows :attr:`SettingKind.phrase`, never the text of the exception, which could quote a secret.
"""

import base64
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.headerregistry import HeaderRegistry
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from handlers import milestones
from processor.languages.catalogues import LANGUAGES
from processor.settings import asked_for, brands, colors, people, quiet_hours, redis_address, web_addresses

TRUE, FALSE = ("true", "t", "yes", "y", "on", "1"), ("false", "f", "no", "n", "off", "0")


@dataclass(frozen=True, slots=True)
class SettingKind:
    """How one kind of setting is read; ``phrase`` completes "NAME must be ..."."""

    phrase: str
    read: Callable[[str], object]


def _texts(text: str) -> tuple[str, ...]:
    """Comma-separated values, without the empty ones and the blanks around them."""
    values = tuple(value for part in text.split(",") if (value := part.strip()))
    if not values:
        raise ValueError("empty")
    return values


def whole_number(low: int, high: int) -> SettingKind:
    """A whole number from ``low`` to ``high``."""

    def read(text: str) -> int:
        if not (text.isascii() and text.removeprefix("-").isdigit()):
            raise ValueError("not a whole number")
        number = int(text)
        if not low <= number <= high:
            raise ValueError("out of range")
        return number

    return SettingKind(f"a whole number from {low} to {high}", read)


def url(*schemes: str) -> SettingKind:
    """An absolute URL with one of the schemes; trailing slashes are dropped."""

    def read(text: str) -> str:
        normalized = _split(text, schemes).geturl()
        if not urlsplit(normalized).hostname:
            raise ValueError("no host")
        return normalized.rstrip("/")

    return SettingKind(f"a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}", read)


def _split(text: str, schemes: tuple[str, ...]) -> SplitResult:
    parts = urlsplit(text)
    if parts.scheme not in schemes or parts.port == 0 or not text.isprintable() or " " in text:
        raise ValueError("not such a URL")
    return parts


def _queue_url(text: str) -> str:
    if redis_address.parse(text).kind is not redis_address.EngineKind.SERVER:
        raise ValueError("RQ needs a plain server")
    return text


def _sentry_dsn(text: str) -> str:
    parts = _split(text, ("https", "http"))
    project = parts.path.rpartition("/")[2]
    if not (parts.hostname and parts.username and project.isascii() and project.isdigit()):
        raise ValueError("not a DSN")
    return text


def _host(text: str) -> str:
    """An IP address: the web server resolves no names."""
    if text.lower() == "localhost":
        return "127.0.0.1"
    if "%" in text:
        raise ValueError("an address with a zone")
    return str(ipaddress.ip_address(text))


def _path(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError("no such user") from None


def _existing(is_there: Callable[[Path], bool]) -> Callable[[str], Path]:
    def read(text: str) -> Path:
        path = _path(text)
        if not is_there(path):
            raise ValueError("not there")
        return path

    return read


def _flag(text: str) -> bool:
    if text.lower() not in (*TRUE, *FALSE):
        raise ValueError("neither true nor false")
    return text.lower() in TRUE


def _notification_types(text: str) -> tuple[str, ...]:
    values, types = _texts(text), milestones.NOTIFICATION_TYPES
    if values == ("all",):
        return types
    if not set(values) <= set(types):
        raise ValueError("not a type of notification")
    return values


def _codat_key(text: str) -> str:
    """The key; Codat's portal also shows the whole value of ``Authorization``, which is accepted too."""
    value = _header_value(text)
    scheme, _, encoded = value.partition(" ")
    if scheme.lower() != "basic":
        return value
    key = base64.b64decode(encoded.strip(), validate=True).decode("ascii")
    return _header_value(key)


def _printables(text: str) -> tuple[str, ...]:
    return tuple(map(_header_value, _texts(text)))


def _header_value(value: str) -> str:
    if not (value and value.isascii() and value.isprintable()):
        raise ValueError("cannot stand in a header")
    return value


def _email(text: str) -> str:
    """An e-mail address that can be part of a ``mailto:`` link."""
    mailbox, _, domain = text.partition("@")
    if not (mailbox and domain) or "@" in domain or not text.isprintable() or set(text) & set(' "<>?&#%,;:'):
        raise ValueError("not an address")
    return text


def is_mailbox(text: str) -> bool:
    """Whether a text is valid in the ``From`` header of an e-mail: an address, with or without a name."""
    try:
        header: Any = HeaderRegistry()("From", text)
    except (HeaderParseError, IndexError, AttributeError):  # the last two are bugs of Python
        return False
    address = header.addresses[0] if len(header.addresses) == 1 and not header.defects else None
    return (
        bool(address and address.username and address.username.isascii() and address.domain)
        and text.isprintable()
    )


def _mailbox(text: str) -> str:
    if not is_mailbox(text):
        raise ValueError("not an address")
    return text


def _webhook_secrets(text: str) -> tuple[str, ...]:
    values = _texts(text)
    for value in values:
        prefix, _, encoded = value.partition("_")
        if prefix != "whsec" or not base64.b64decode(encoded, validate=True):
            raise ValueError("not a webhook secret")
    return values


def _networks(text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(value) for value in _texts(text))


def _origins(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(web_addresses.parse_origin(value) for value in _texts(text)))


def _quiet_hours(text: str) -> str:
    quiet_hours.parse(text.lower())
    return text.lower()


def choice(*words: str) -> SettingKind:
    """One of the words, in any case."""
    spellings = {word.lower(): word for word in words}

    def read(text: str) -> str:
        if text.lower() not in spellings:
            raise ValueError("another word")
        return spellings[text.lower()]

    return SettingKind(f"one of {', '.join(words)}", read)


TEXT = SettingKind("text", str)
COLOR = SettingKind("a colour such as #0d5b52", colors.parse_color)
EXISTING_FILE = SettingKind("the path of a file that is there", _existing(Path.is_file))
LINKS = SettingKind("a comma-separated list of `Label https://address`", brands.parse_links)
LANGUAGE = choice(*LANGUAGES)
CONSENT = choice("choice", "step", "off")
REMINDERS = choice("email", "webhook", "off")
QUIET_HOURS = SettingKind("two times of a day such as `20:00-08:00`, or `off`", _quiet_hours)
TIME_ZONE = SettingKind("a time zone such as `Europe/Paris`", lambda text: quiet_hours.parse_zone(text).key)
ASKED_FOR = SettingKind(
    "a comma-separated list of source types such as `accounting,banking:optional`", asked_for.parse
)
WEB_ADDRESS = SettingKind(
    "an https:// address without a login (http:// for localhost alone)",
    lambda text: str(web_addresses.parse(text)),
)
ORIGINS = SettingKind(
    "a comma-separated list of origins such as https://app.example (http:// for localhost alone), without a"
    " path",
    _origins,
)
HOST = SettingKind("an IP address, or localhost", _host)
EMAIL = SettingKind("an e-mail address", _email)
TEXTS = SettingKind("a comma-separated list", _texts)
FLAG = SettingKind("true or false", _flag)
FOLDER = SettingKind("the path of a folder", _path)
EXISTING_FOLDER = SettingKind("the path of a folder that is there", _existing(Path.is_dir))
MAILBOX = SettingKind("an e-mail address, or a name and `<address>`", _mailbox)
LOG_LEVEL = choice("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
PORT = whole_number(0, 65535)
CELLS = whole_number(1, 256)
COUNT = whole_number(1, 1024)
DAYS = whole_number(1, 3650)
AGE_S = whole_number(0, 1_000_000_000)
SECONDS_OR_NONE = whole_number(0, 86400)
BYTES = whole_number(1, 1_073_741_824)
HOPS = whole_number(0, 100)
HTTP_URL = url("https", "http")
SMTP_URL = url("smtps", "smtp", "smtp+starttls")
NOTIFICATION_TYPES = SettingKind(
    "`all`, or a comma-separated list of types of notifications", _notification_types
)
LENGTH = whole_number(1, 1_000_000_000)
REDIS_URL = SettingKind(
    "a URL such as redis://:password@host:6379/0, rediss://… (TLS) or unix:///path?db=0 (its options, if any,"
    " those of redis-py), redis+sentinel://user:password@host:26379,host:26379/SERVICE/0 or"
    " redis+cluster://user:password@host:6379,host:6379 (rediss+…: TLS)",
    lambda text: redis_address.parse(text).url,
)
QUEUE_REDIS_URL = SettingKind("the URL of a plain server, as REDIS_URL may be", _queue_url)
REPLICAS = whole_number(0, 5)
ACK_MS = whole_number(1, 550)
SENTRY_DSN = SettingKind("a URL such as https://KEY@HOST/PROJECT", _sentry_dsn)
OPERATORS = SettingKind(
    "a comma-separated list of `name:role:hash`, each name once, with the role viewer, operator or admin and"
    " a hash of `codat-processor operators hash`",
    lambda text: people.checked_operators(_printables(text)),
)
API_KEYS = SettingKind(
    "a comma-separated list of printable ASCII values: `KEY`, `name:scope+scope:KEY` or"
    " `name:scope+scope:sha256:HEX`, each name once",
    lambda text: people.checked_api_keys(_printables(text)),
)
ROLE_GROUPS = SettingKind(
    "a comma-separated list of `group=role`", lambda text: people.roles_of_groups(_texts(text))
)
ENCRYPTION_KEYS = SettingKind(
    "a comma-separated list of keys of `codat-processor encryption key`",
    lambda text: people.checked_encryption_keys(_printables(text)),
)
NETWORKS = SettingKind("a comma-separated list of IP addresses or networks", _networks)
SIGNING_KEYS = SettingKind("a comma-separated list of keys", _texts)
CODAT_KEY = SettingKind("the key, or the whole `Basic …` value that Codat's portal shows", _codat_key)
PRINTABLES = SettingKind("a comma-separated list of printable ASCII values", _printables)
WEBHOOK_SECRETS = SettingKind('a comma-separated list of "whsec_" followed by base64', _webhook_secrets)
