"""The configuration of a simulated Codat."""

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


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


def _option(help: str, default: Any = None) -> Any:
    """A field that is also an option of the command line, with this help."""
    return field(default=default, metadata={"help": help})


def _secret(help: str, make: Callable[[], str]) -> Any:
    """The same of a secret, which is made up where it is not given."""
    return field(default_factory=make, repr=False, metadata={"help": help})


@dataclass(frozen=True, kw_only=True)
class SimulatorConfig:
    """One simulated Codat.

    ``generations`` are those that are sent. With ``auto_sync`` a linked connection is read by itself.
    ``products`` are those of the client, none of them a default one: where there are any, a company must be
    given one.
    """

    host: str = _option("address to listen on", "127.0.0.1")
    port: int = _option("port to listen on; 0: a free one", 0)
    public_url: str | None = _option("address that others use for the simulator, where it is another one")
    product_url: str | None = _option("address of the product, for a link on the home page")
    api_key: str = _secret("Codat API key that callers must have", lambda: "simulator-api-key")
    webhook_url: str | None = _option("endpoint that gets the messages; without it nothing is sent")
    webhook_secret: str = _secret("whsec_... that signs the messages", new_webhook_secret)
    alert_authorization: str = _secret("Authorization value of legacy alerts", new_authorization)
    client_id: str = _option("X-Codat-ClientId of legacy alerts", "5a3f0c2e-7d1b-4e86-9c55-0b6f3d2a9e10")
    generations: frozenset[Generation] = frozenset({Generation.CURRENT})
    redirect_url: str | None = _option(
        "where the Link page sends the user back, with placeholders such as {connectionId}"
    )
    auto_sync: bool = True
    sync_s: float = _option("seconds that a first read takes", 4.0)
    retry_scale: float = _option("factor on the real retry schedules", 1.0)
    answer_timeout_s: float = _option("seconds that a receiver may take to answer", 15.0)
    senders: int = _option("messages that may be under way at once; with 1 they keep their order", 1)
    products: tuple[str, ...] = ()

    @property
    def base_url(self) -> str:
        """The address of the simulator, without a slash at the end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def api_authorization(self) -> str:
        """The ``Authorization`` value of callers of the API."""
        return "Basic " + base64.b64encode(self.api_key.encode()).decode()
