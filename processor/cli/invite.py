"""The demonstration's way into the journey: a company that signed up, its link, and the way back."""

import contextlib
import secrets
import threading
from collections.abc import Callable

import click
import httpx

from processor.errors import ProcessorError
from processor.server import address
from processor.settings import Settings

COMPANY = "Corner Shop"
PLACEHOLDERS = (
    "companyId",
    "connectionId",
    "integrationId",
    "platform",
    "platformName",
    "sourceType",
    "statusCode",
    "errorMessage",
    "statusText",
)
"""https://docs.codat.io/auth-flow/customize/set-up-redirects"""
TIMEOUT_S = 30.0


def way_back(ours: str) -> str:
    """The redirect URL as one sets it in Codat's portal; ``ours`` is the address of this service."""
    return f"{ours}/return?" + "&".join(f"{name}={{{name}}}" for name in PLACEHOLDERS)


def invite(settings: Settings, await_ready: Callable[[Settings], None]) -> None:
    """Sign a company up as soon as the service is ready, and print the link that opens its journey.

    Each time a new one: the simulated Codat forgets everything when it ends. What goes wrong is not
    told; the service runs without it.
    """

    def sign_up() -> None:
        with contextlib.suppress(ProcessorError, httpx.HTTPError, ValueError, KeyError):
            await_ready(settings)
            answer = httpx.post(
                f"{address(settings)}/v1/companies",
                headers={"Authorization": f"Bearer {settings.api_keys[0]}"},
                json={"merchant_id": f"demo-{secrets.token_hex(3)}", "name": COMPANY},
                timeout=TIMEOUT_S,
                trust_env=False,
            )
            click.echo(f"\n  Start here: the journey of {COMPANY}\n  {answer.json()['connect_url']}\n")

    threading.Thread(target=sign_up, name="invitation", daemon=True).start()
