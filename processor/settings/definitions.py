"""The table of settings: name, kind, default and help of each, and whether it is secret.

The attribute ``max_body_bytes`` is the environment variable ``MAX_BODY_BYTES``.
"""

import dataclasses
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from urllib.parse import unquote, urlsplit

from processor.settings import kinds, redis_address
from processor.settings.asked_for import AskedFor
from processor.settings.definition import SettingDefinition, definitions_of, setting
from processor.settings.people import masked_parts
from processor.settings.requirements import default_sender

DATA_DIR = Path("./var")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The validated settings. ``None`` and ``()`` mean "not set"."""

    redis_url: str | None = setting(
        kinds.REDIS_URL,
        "Redis or Valkey, see docs/scaling.md; unset: the embedded engine in `DATA_DIR`.",
        secret=True,
    )
    queue_redis_url: str | None = setting(
        kinds.QUEUE_REDIS_URL,
        "RQ's own server, which may lose everything; unset: `REDIS_URL`; required with a cluster.",
        secret=True,
    )
    ack_replicas: int = setting(
        kinds.REPLICAS,
        "Replicas that must have a message before its 2xx (else 503), and a notification before it is sent.",
        0,
    )
    ack_timeout_ms: int = setting(kinds.ACK_MS, "How long to wait for `ACK_REPLICAS`, in milliseconds.", 500)
    redis_tls_verify: bool = setting(
        kinds.FLAG, "`false` accepts any certificate behind `rediss://`; Heroku signs its own.", True
    )
    data_dir: Path = setting(kinds.FOLDER, "Where the embedded engine keeps its data.", DATA_DIR)
    host: str = setting(
        kinds.HOST, "Address to listen on; on Heroku (where `DYNO` is set) `0.0.0.0`.", "127.0.0.1"
    )
    port: int = setting(kinds.PORT, "Port to listen on; 0: a free one is chosen and logged.", 8000)
    public_url: str | None = setting(
        kinds.HTTP_URL, "Where the world reaches this service, for links in answers."
    )
    product_name: str | None = setting(kinds.TEXT, "Whom the pages speak for: shown at the top of each.")
    support_email: str | None = setting(kinds.EMAIL, "Where the pages send people who need help.")
    default_language: str = setting(
        kinds.LANGUAGE, "Language where no link, company or browser has one.", "en"
    )
    brand_color: str | None = setting(
        kinds.COLOR, "Colour of buttons and links on light pages; refused where it is not legible (WCAG AA)."
    )
    brand_color_dark: str | None = setting(
        kinds.COLOR, "The same on dark pages; unset: the nearest to `BRAND_COLOR` that is legible there."
    )
    brand_logo: Path | None = setting(
        kinds.EXISTING_FILE, "Picture at the top of each page; unset: `PRODUCT_NAME` alone."
    )
    brand_favicon: Path | None = setting(kinds.EXISTING_FILE, "Picture in the tab of the browser.")
    brand_links: tuple[tuple[str, str], ...] = setting(kinds.LINKS, "Links at the foot of each page.", ())
    brand_dir: Path | None = setting(
        kinds.EXISTING_FOLDER,
        "Further brands behind this service, one folder each, for the `brand` of a sign-up; see"
        " docs/journey.md.",
    )
    secret_key: tuple[str, ...] | None = setting(
        kinds.SIGNING_KEYS,
        "Signs the links of the journey; several: the first signs, all are accepted.",
        secret=True,
    )
    link_days: int = setting(
        kinds.DAYS, "How long the links in e-mails work, in days; all others: 24 hours.", 7
    )
    reminders: str = setting(
        kinds.REMINDERS,
        "Who reminds users of what is left to do: `email`: we; `webhook`: you, told by `reminder.…`; `off`.",
        "email",
    )
    quiet_hours: str = setting(kinds.QUIET_HOURS, "When nobody is reminded, in its time.", "20:00-08:00")
    time_zone: str = setting(kinds.TIME_ZONE, "Time zone of companies without a `time_zone`.", "UTC")
    banking_consent_days: int = setting(kinds.DAYS, "How long an open banking consent lasts, in days.", 90)
    ask_for: tuple[AskedFor, ...] = setting(
        kinds.ASKED_FOR,
        "What the pages ask a company to connect, in this order, where its `asked_for` does not say; unset:"
        " everything is offered, and nothing is asked for in particular.",
        (),
    )
    platforms_shown: tuple[str, ...] = setting(
        kinds.TEXTS, "Keys of the only platforms that the pages offer; unset: all that are enabled.", ()
    )
    platforms_hidden: tuple[str, ...] = setting(
        kinds.TEXTS, "Keys of platforms that the pages do not offer.", ()
    )
    platforms_recommended: tuple[str, ...] = setting(
        kinds.TEXTS, "Keys of platforms that the pages offer first, as recommended.", ()
    )
    allow_sandbox: bool = setting(
        kinds.FLAG, "`true`: the pages offer Codat's sandbox too, which has made-up data.", False
    )
    privacy_policy_url: str | None = setting(
        kinds.WEB_ADDRESS, "Your privacy policy, to which the text of the consent links."
    )
    consent: str = setting(
        kinds.CONSENT,
        "Where the pages ask for consent before a user goes to a platform: `choice`: beside the platforms,"
        " and choosing one is the consent; `step`: on a page of its own; `off`: nowhere, you ask elsewhere.",
        "choice",
    )
    consent_templates_dir: Path | None = setting(
        kinds.EXISTING_FOLDER,
        "Texts of the consent, `PRODUCT.LANGUAGE.txt`, that are used instead of ours; see docs/journey.md.",
    )
    return_url: str | None = setting(
        kinds.WEB_ADDRESS,
        "Where the pages' button “Back to …” leads, for companies and links without a `return_url`; unset: no"
        " button for them.",
    )
    return_url_origins: tuple[str, ...] = setting(
        kinds.ORIGINS, "Origins to which a caller's `return_url` may lead; unset: none is accepted.", ()
    )
    embed_origins: tuple[str, ...] = setting(
        kinds.ORIGINS, "Origins whose pages may show the journey (`/embed.js`); unset: none.", ()
    )
    api_keys: tuple[str, ...] = setting(
        kinds.API_KEYS,
        "Callers of `/v1` send one as `Authorization: Bearer KEY`. A plain one may do everything; a named one"
        " what its scopes allow: `read`, `write` (includes `read`), `admin` (includes both). See"
        " docs/access.md.",
        (),
        secret=True,
    )
    protect_internals: bool = setting(
        kinds.FLAG,
        "`true` keeps `/metrics`, `/openapi.json` and the details of `/readyz` for holders of an API key.",
        False,
    )
    operator_password: str | None = setting(
        kinds.TEXT,
        "HTTP Basic password of the user `operator`, an admin, for `/ops`; without this setting, `OPERATORS`"
        " and `OIDC_ISSUER` there are no operators' pages.",
        secret=True,
    )
    operators: tuple[str, ...] = setting(
        kinds.OPERATORS,
        "Operators with names of their own, who sign in at `/ops/sign-in`; see docs/access.md.",
        (),
        secret=True,
    )
    oidc_issuer: str | None = setting(
        kinds.HTTP_URL, "OpenID Connect provider by which operators may sign in (extra `oidc`)."
    )
    oidc_client_id: str | None = setting(kinds.TEXT, "This service's client id at `OIDC_ISSUER`.")
    oidc_client_secret: str | None = setting(
        kinds.TEXT, "The client's secret at `OIDC_ISSUER`; unset: a public client.", secret=True
    )
    oidc_groups: tuple[tuple[str, str], ...] = setting(
        kinds.ROLE_GROUPS,
        "Groups in the `groups` claim and the role of their members; of several the highest counts, and"
        " nobody else may sign in.",
        (),
    )
    audit_days: int = setting(kinds.DAYS, "How long the audit trail is kept, in days.", 400)
    encryption_keys: tuple[str, ...] = setting(
        kinds.ENCRYPTION_KEYS,
        "Encrypt subscribers' secrets, and companies' contacts and people, in the store; several: the first"
        " encrypts, all decrypt; unset: plain. See docs/access.md.",
        (),
        secret=True,
    )
    codat_api_key: str | None = setting(
        kinds.CODAT_KEY, "Codat's API key; unset: what messages claim is not checked with Codat.", secret=True
    )
    codat_api_url: str = setting(kinds.HTTP_URL, "Codat's API.", "https://api.codat.io")
    codat_products: tuple[str, ...] = setting(
        kinds.TEXTS,
        "Codat products that a company gets at sign-up, where the call names none; unset: the client's own.",
        (),
    )
    codat_webhook_secrets: tuple[str, ...] = setting(
        kinds.WEBHOOK_SECRETS,
        "Secrets of Codat's webhook consumers (`whsec_…`); all are accepted.",
        (),
        secret=True,
    )
    codat_alert_authorizations: tuple[str, ...] = setting(
        kinds.PRINTABLES, "Exact `Authorization` values of Codat's legacy alerts.", (), secret=True
    )
    codat_client_ids: tuple[str, ...] = setting(
        kinds.TEXTS, "Accept only these values of `X-Codat-ClientId`; unset: any.", ()
    )
    codat_foreign_client_ids: tuple[str, ...] = setting(
        kinds.TEXTS,
        "Values of `X-Codat-ClientId` of Codat clients whose companies our `CODAT_API_KEY` cannot see: their"
        " news is told unchecked.",
        (),
    )
    codat_sender_ips: tuple[IPv4Network | IPv6Network, ...] = setting(
        kinds.NETWORKS, "Accept messages only from these addresses or networks; unset: any.", ()
    )
    trusted_proxies: int = setting(
        kinds.HOPS,
        "How many proxy hops to believe in `X-Forwarded-For` and `X-Forwarded-Proto`; without it all callers"
        " behind a proxy have the proxy's address, also where wrong credentials are counted.",
        0,
    )
    max_body_bytes: int = setting(kinds.BYTES, "Largest message accepted, in bytes.", 1_048_576)
    event_retention_days: int = setting(kinds.DAYS, "How long messages are kept, in days.", 30)
    dedupe_days: int = setting(kinds.DAYS, "How long a message is recognised as seen before, in days.", 21)
    erase_after_days: int = setting(
        kinds.DAYS, "How long after its deletion at Codat a company is erased here, in days.", 30
    )
    sweep_hours: int = setting(
        kinds.COUNT, "How often each company is compared with Codat, at least: once in so many hours.", 24
    )
    start_first_sync: bool = setting(
        kinds.FLAG,
        "`true` tells Codat to read a company, once per authorisation, where no first sync follows: after a"
        " token was brought, or where no data type is fetched on first link.",
        False,
    )
    cells: int = setting(
        kinds.CELLS, "Parts of the store, each with its companies; fixed when a store is first used.", 16
    )
    workers: int = setting(
        kinds.COUNT,
        "Processes that handle messages; a worker has three more: one asks Codat, one delivers, one polls.",
        2,
    )
    web_concurrency: int = setting(kinds.COUNT, "Web processes, of four threads each.", 2)
    check_patience_s: int = setting(
        kinds.SECONDS_OR_NONE,
        "How long news that needs checking waits for Codat, in seconds; 0: it is never checked.",
        60,
    )
    late_after_s: int = setting(
        kinds.AGE_S, "News older than this when we learn it is checked with Codat first, in seconds.", 600
    )
    stream_length: int = setting(
        kinds.LENGTH, "About how many notifications the Redis stream `codat:notifications` keeps.", 100_000
    )
    allow_private_subscribers: bool = setting(
        kinds.FLAG, "`true` lets subscribers have private addresses and any port; for development.", False
    )
    allow_http_subscribers: bool = setting(
        kinds.FLAG, "`true` lets subscribers have `http://` addresses: what they are told can be read.", False
    )
    smtp_url: str | None = setting(
        kinds.SMTP_URL,
        "Mail server: `smtps://user:password@host:port` (TLS), `smtp+starttls://` (TLS or nothing) or"
        " `smtp://` (TLS where offered); unset: no e-mail.",
        secret=True,
    )
    smtp_tls_verify: bool = setting(
        kinds.FLAG,
        "`false` accepts any certificate of the mail server; with `smtp://` on this machine any is accepted.",
        True,
    )
    mail_from: str | None = setting(
        kinds.MAILBOX,
        "Sender of e-mails; unset: the account in `SMTP_URL` where that is an address, else `no-reply@`.",
    )
    mail_templates_dir: Path | None = setting(
        kinds.EXISTING_FOLDER,
        "Templates of e-mails that replace ours of the same name; see docs/consuming.md.",
    )
    operator_alert_urls: tuple[str, ...] = setting(
        kinds.TEXTS, "Apprise URLs of the operators' chat or pager (extra `chat`).", (), secret=True
    )
    operator_alert_types: tuple[str, ...] = setting(
        kinds.NOTIFICATION_TYPES,
        "Which notifications the operators' chat or pager gets besides alerts; `all`: every one.",
        (
            "connection.authorization_failed",
            "connection.deauthorized",
            "initial_sync.failed",
            "journey.platform_requested",
        ),
    )
    sentry_dsn: str | None = setting(
        kinds.SENTRY_DSN, "Where errors are reported (extra `sentry`).", secret=True
    )
    log_level: str = setting(
        kinds.LOG_LEVEL, "Least severe of our log lines to write; libraries write from WARNING on.", "INFO"
    )

    @property
    def local_url(self) -> str:
        """The URL of the service on its own host and port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def sender(self) -> str | None:
        """The sender of e-mails; ``None`` without a mail server."""
        return self.smtp_url and (self.mail_from or default_sender(self.smtp_url, self.public_url))

    def secrets(self) -> tuple[str, ...]:
        """Every secret value, to mask it in log lines."""
        values: list[str] = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.metadata["secret"] and value:
                values += [value] if isinstance(value, str) else value
        for entry in (*self.api_keys, *self.operators):
            values += masked_parts(entry)
        passwords = [urlsplit(value).password or "" for value in values if "://" in value]
        passwords += () if self.redis_url is None else redis_address.parse(self.redis_url).secrets
        return (*values, *filter(None, passwords), *filter(None, map(unquote, passwords)))


def definitions() -> tuple[SettingDefinition, ...]:
    """The definitions in order, for the documentation and ``.env.example``."""
    return definitions_of(Settings)
