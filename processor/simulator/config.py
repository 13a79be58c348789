"""The configuration of a simulated Codat."""

import base64
import secrets
from dataclasses import dataclass, field
from enum import StrEnum


class Generation(StrEnum):
    """A way in which Codat sends its messages.

    ``MIGRATED`` is a legacy rule that was moved to the current service: the legacy body and its
    ``Authorization``, with the signature headers and the retries of the current one.
    """

    CURRENT = "current"
    LEGACY = "legacy"
    MIGRATED = "migrated"


def new_webhook_secret() -> str:
    """A fresh signing secret in Codat's form: ``whsec_`` and base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def new_authorization() -> str:
    """A fresh value for the ``Authorization`` header of legacy alerts."""
    return "Bearer " + secrets.token_urlsafe(24)


@dataclass(frozen=True, kw_only=True)
class SimulatorConfig:
    """One simulated Codat; secrets that are not given are made up, and never shown by ``repr``.

    ``port`` 0 takes a free one. ``public_url`` is the address that browsers and the product use;
    ``None``: its own. ``webhook_url`` is the product's endpoint; ``None``: nothing is sent there.
    ``alert_authorization`` is the exact ``Authorization`` value of legacy alerts. ``redirect_url`` is where
    the Link page sends the user back, with Codat's placeholders; ``None``: a page says that it may be
    closed. With ``auto_sync`` a linked connection is read by itself, which takes ``sync_s`` seconds.
    ``retry_scale`` multiplies the real retry schedules. ``answer_timeout_s`` is how long a receiver may
    take to answer; ``products`` are those of the client, none of them a default one: where there are any,
    a company must be given one. ``senders`` is how many messages may be on their way at once (with one,
    they keep their order).
    """

    host: str = "127.0.0.1"
    port: int = 0
    public_url: str | None = None
    product_url: str | None = None
    api_key: str = field(default="simulator-api-key", repr=False)
    webhook_url: str | None = None
    webhook_secret: str = field(default_factory=new_webhook_secret, repr=False)
    alert_authorization: str = field(default_factory=new_authorization, repr=False)
    client_id: str = "5a3f0c2e-7d1b-4e86-9c55-0b6f3d2a9e10"
    generations: frozenset[Generation] = frozenset({Generation.CURRENT})
    redirect_url: str | None = None
    auto_sync: bool = True
    sync_s: float = 4.0
    retry_scale: float = 1.0
    answer_timeout_s: float = 15.0
    senders: int = 1
    products: tuple[str, ...] = ()

    @property
    def base_url(self) -> str:
        """The address of the simulator, without a slash at the end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def api_authorization(self) -> str:
        """The ``Authorization`` value of callers of the API."""
        return "Basic " + base64.b64encode(self.api_key.encode()).decode()
