"""Every setting of the service, one row each: name, kind, default, help, and whether it is secret.

:class:`Settings` is the table. The attribute ``max_body_bytes`` is the environment variable
``MAX_BODY_BYTES``; docs/settings.md is generated from the rows.
"""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from environs import Env

from processor.errors import SettingsError
from processor.settings import kinds as kinds
from processor.settings.dotenv import faults
from processor.settings.kinds import SettingKind
from processor.settings.misspelled import mistyped
from processor.settings.requirements import default_sender, unmet

DOTENV = Path(".env")
DATA_DIR = Path("./var")


@dataclass(frozen=True, slots=True)
class SettingDefinition:
    """One setting as the documentation shows it; ``default`` is the text one would write."""

    name: str
    default: str
    kind: SettingKind
    help: str
    secret: bool


def row(kind: SettingKind, help: str, default: Any = None, *, secret: bool = False) -> Any:
    """A field of :class:`Settings`; a secret one stays out of ``repr``."""
    metadata = {"kind": kind, "help": help, "secret": secret}
    return dataclasses.field(default=default, repr=not secret, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says, checked. ``None`` and ``()`` mean "not set"."""

    redis_url: str | None = row(
        kinds.REDIS_URL, "Redis or Valkey; unset: the embedded engine in `DATA_DIR`.", secret=True
    )
    redis_tls_verify: bool = row(
        kinds.FLAG, "`false` accepts any certificate behind `rediss://`; Heroku signs its own.", True
    )
    data_dir: Path = row(kinds.FOLDER, "Where the embedded engine keeps its data.", DATA_DIR)
    host: str = row(
        kinds.HOST, "Address to listen on; on Heroku (where `DYNO` is set) `0.0.0.0`.", "127.0.0.1"
    )
    port: int = row(kinds.PORT, "Port to listen on; 0: a free one is chosen and logged.", 8000)
    public_url: str | None = row(
        kinds.HTTP_URL, "Where the world reaches this service, for links in answers."
    )
    product_name: str | None = row(kinds.TEXT, "Whom the pages speak for: shown at the top of each.")
    support_email: str | None = row(kinds.EMAIL, "Where the pages send people who need help.")
    secret_key: tuple[str, ...] | None = row(
        kinds.SIGNING_KEYS,
        "Signs the links of the journey; several: the first signs, all are accepted.",
        secret=True,
    )
    link_days: int = row(kinds.DAYS, "How long the links in e-mails work, in days; all others: 24 hours.", 7)
    api_keys: tuple[str, ...] = row(
        kinds.PRINTABLES, "Callers of `/v1` send one as `Authorization: Bearer KEY`.", (), secret=True
    )
    operator_password: str | None = row(
        kinds.TEXT,
        "HTTP Basic password of the user `operator` for `/ops`; unset: there are no operators' pages.",
        secret=True,
    )
    codat_api_key: str | None = row(
        kinds.CODAT_KEY, "Codat's API key; unset: what messages claim is not checked with Codat.", secret=True
    )
    codat_api_url: str = row(kinds.HTTP_URL, "Codat's API.", "https://api.codat.io")
    codat_products: tuple[str, ...] = row(
        kinds.TEXTS,
        "Codat products that a company gets at sign-up, where the call names none; unset: the client's own.",
        (),
    )
    codat_webhook_secrets: tuple[str, ...] = row(
        kinds.WEBHOOK_SECRETS,
        "Secrets of Codat's webhook consumers (`whsec_…`); all are accepted.",
        (),
        secret=True,
    )
    codat_alert_authorizations: tuple[str, ...] = row(
        kinds.PRINTABLES, "Exact `Authorization` values of Codat's legacy alerts.", (), secret=True
    )
    codat_client_ids: tuple[str, ...] = row(
        kinds.TEXTS, "Accept only these values of `X-Codat-ClientId`; unset: any.", ()
    )
    codat_foreign_client_ids: tuple[str, ...] = row(
        kinds.TEXTS,
        "Values of `X-Codat-ClientId` of Codat clients whose companies our `CODAT_API_KEY` cannot see: their"
        " news is told unchecked.",
        (),
    )
    codat_sender_ips: tuple[IPv4Network | IPv6Network, ...] = row(
        kinds.NETWORKS, "Accept messages only from these addresses or networks; unset: any.", ()
    )
    trusted_proxies: int = row(
        kinds.HOPS,
        "How many proxy hops to believe in `X-Forwarded-For` and `X-Forwarded-Proto`; without it all callers"
        " behind a proxy have the proxy's address, also where wrong credentials are counted.",
        0,
    )
    max_body_bytes: int = row(kinds.BYTES, "Largest message accepted, in bytes.", 1_048_576)
    event_retention_days: int = row(kinds.DAYS, "How long messages are kept, in days.", 30)
    dedupe_days: int = row(kinds.DAYS, "How long a message is recognised as seen before, in days.", 21)
    erase_after_days: int = row(
        kinds.DAYS, "How long after its deletion at Codat a company is erased here, in days.", 30
    )
    sweep_hours: int = row(
        kinds.COUNT, "How often each company is compared with Codat, at least: once in so many hours.", 24
    )
    start_first_sync: bool = row(
        kinds.FLAG,
        "`true` tells Codat to read a company, once per authorisation, where no first sync follows: after a"
        " token was brought, or where no data type is fetched on first link.",
        False,
    )
    inbox_shards: int = row(kinds.COUNT, "Streams into which waiting messages are divided, by company.", 4)
    workers: int = row(
        kinds.COUNT,
        "Processes that handle messages; a worker has three more: one asks Codat, one delivers, one polls.",
        2,
    )
    web_concurrency: int = row(kinds.COUNT, "Web processes, of four threads each.", 2)
    check_patience_s: int = row(
        kinds.SECONDS_OR_NONE,
        "How long news that needs checking waits for Codat, in seconds; 0: it is never checked.",
        60,
    )
    late_after_s: int = row(
        kinds.AGE_S, "News older than this when we learn it is checked with Codat first, in seconds.", 600
    )
    stream_length: int = row(
        kinds.LENGTH, "About how many notifications the Redis stream `codat:notifications` keeps.", 100_000
    )
    allow_private_subscribers: bool = row(
        kinds.FLAG, "`true` lets subscribers have private addresses and any port; for development.", False
    )
    smtp_url: str | None = row(
        kinds.SMTP_URL,
        "Mail server: `smtps://user:password@host:port` (TLS), `smtp+starttls://` (TLS or nothing) or"
        " `smtp://` (TLS where offered); unset: no e-mail.",
        secret=True,
    )
    smtp_tls_verify: bool = row(
        kinds.FLAG,
        "`false` accepts any certificate of the mail server; with `smtp://` on this machine any is accepted.",
        True,
    )
    mail_from: str | None = row(
        kinds.MAILBOX,
        "Sender of e-mails; unset: the account in `SMTP_URL` where that is an address, else `no-reply@`.",
    )
    mail_templates_dir: Path | None = row(
        kinds.EXISTING_FOLDER,
        "Templates of e-mails that replace ours of the same name; see docs/consuming.md.",
    )
    operator_alert_urls: tuple[str, ...] = row(
        kinds.TEXTS, "Apprise URLs of the operators' chat or pager (extra `chat`).", (), secret=True
    )
    operator_alert_types: tuple[str, ...] = row(
        kinds.NOTICES,
        "Which notifications the operators' chat or pager gets besides alerts; `all`: every one.",
        ("connection.authorization_failed", "connection.deauthorized", "initial_sync.failed"),
    )
    sentry_dsn: str | None = row(kinds.SENTRY_DSN, "Where errors are reported (extra `sentry`).", secret=True)
    log_level: str = row(
        kinds.LOG_LEVEL, "Least severe of our log lines to write; libraries write from WARNING on.", "INFO"
    )

    @property
    def own_url(self) -> str:
        """Where the service is reached from this machine, or by its address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def sender(self) -> str | None:
        """Whom e-mails come from; ``None`` without a mail server."""
        return self.smtp_url and (self.mail_from or default_sender(self.smtp_url, self.public_url))

    def secrets(self) -> tuple[str, ...]:
        """Every secret value that is set, for the masking of log lines."""
        found: list[str] = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.metadata["secret"] and value:
                found += [value] if isinstance(value, str) else value
        passwords = [urlsplit(value).password or "" for value in found if "://" in value]
        return (*found, *filter(None, passwords), *filter(None, map(unquote, passwords)))


def rows() -> tuple[SettingDefinition, ...]:
    """The table, in order, for the documentation and ``.env.example``."""
    return tuple(
        SettingDefinition(
            name=field.name.upper(),
            default=_written(field.default),
            kind=field.metadata["kind"],
            help=field.metadata["help"],
            secret=field.metadata["secret"],
        )
        for field in dataclasses.fields(Settings)
    )


def load(environ: Mapping[str, str], dotenv_path: Path | None = None, *, inbound: bool = True) -> Settings:
    """Read and check every setting.

    A name in ``environ`` wins over the same name in the file ``dotenv_path``, which need not
    exist; a blank value means "not set". Whoever is no part of the service, and takes no messages in,
    says so by ``inbound``: then Codat need not be recognisable. Raises :class:`SettingsError`, which
    lists all mistakes.
    """
    env = _GivenEnv(environ)
    values: dict[str, Any] = {}
    mistakes: list[str] = []
    if dotenv_path is not None:
        mistakes += faults(dotenv_path)
        if not mistakes:
            env.read_env(dotenv_path, recurse=False)
    for field in dataclasses.fields(Settings):
        name, kind = field.name.upper(), field.metadata["kind"]
        if not env.has(name):
            continue
        try:
            env.str(name).encode()  # refuses what the environment held in another encoding
            values[field.name] = kind.read(env, name)
        except kinds.UNREADABLE:
            mistakes.append(f"{name} must be {kind.phrase}.")
    mistakes += unmet(values)
    if inbound and not (env.has("CODAT_WEBHOOK_SECRETS") or env.has("CODAT_ALERT_AUTHORIZATIONS")):
        mistakes.append(
            "CODAT_WEBHOOK_SECRETS or CODAT_ALERT_AUTHORIZATIONS must be set: without either,"
            " nobody could tell Codat's messages from anybody's."
        )
    if mistakes:
        mistakes += mistyped(env.given(), [row.name for row in rows()])
        raise SettingsError(mistakes, who="The service" if inbound else "The command")
    if env.has("DYNO"):
        values.setdefault("host", "0.0.0.0")  # noqa: S104 - Heroku's router comes from outside
    return Settings(**values)


def mistyped_in(environ: Mapping[str, str], dotenv_path: Path | None = None) -> list[str]:
    """A sentence for each variable that looks like a setting and is none; see :func:`mistyped`."""
    env = _GivenEnv(environ)
    if dotenv_path is not None and not faults(dotenv_path):
        env.read_env(dotenv_path, recurse=False)
    return mistyped(env.given(), [row.name for row in rows()])


def load_from_environment(*, inbound: bool = True) -> Settings:
    """The settings of this process: its environment, and ``.env`` in the current folder if there is one.

    ``inbound`` as in :func:`load`.
    """
    return load(os.environ, DOTENV, inbound=inbound)


class _GivenEnv(Env):
    """environs on a given mapping instead of ``os.environ``, with blank values unset."""

    def __init__(self, given: Mapping[str, str]) -> None:
        super().__init__(eager=True)
        self._given = given

    def given(self) -> list[str]:
        """The names of all that has a value, settings or not."""
        return [name for name in {*self._given, *self._environ} if self.has(name)]

    def has(self, name: str) -> bool:
        """Whether the setting has a value."""
        return self._get_value(name, None) is not None

    def _get_value(self, env_key: str, default: Any) -> Any:
        text = self._given[env_key] if env_key in self._given else self._environ.get(env_key, "")
        return text.strip() or default


def _written(default: Any) -> str:
    if default is None or default == ():
        return ""
    if isinstance(default, Path):
        return f"./{default}"
    if isinstance(default, tuple):
        return ",".join(default)
    return str(default).lower() if isinstance(default, bool) else f"{default}"
