"""What the demonstration prints: the addresses to open, and the connect link of a new company."""

import secrets
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click
import httpx

from processor.settings.definitions import DATA_DIR, Settings
from processor.simulator.lender import LENDER_PATH

Result = TypeVar("Result")

SCRIPT = "codat-processor"
DEMO_LOGIN = "demo"
"""The API key and the operators' password of a demonstration, unless they are set."""

COMPANY = "Corner Shop"
BRANDED_COMPANY, BRAND = "Harbour Café", "northbank"
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
    "data.company.companyName",
)
"""https://docs.codat.io/auth-flow/customize/set-up-redirects"""
TIMEOUT_S = 30.0


def redirect_url(local_url: str) -> str:
    """The redirect URL as it is set in Codat's portal; ``local_url`` is the address of this service."""
    return f"{local_url}/return?" + "&".join(f"{name}={{{name}}}" for name in PLACEHOLDERS) + "&lang={lang}"


def print_addresses(settings: Settings, simulator_url: str) -> None:
    """Print the addresses to open and the commands to try."""
    local_url = settings.local_url
    key = DEMO_LOGIN if settings.api_keys == (DEMO_LOGIN,) else "YOUR_API_KEY"
    password = DEMO_LOGIN if settings.operator_password == DEMO_LOGIN else "your OPERATOR_PASSWORD"
    click.echo(
        f"\n  Simulated lender  {simulator_url}{LENDER_PATH}  (sign customers up, see all that it can do)\n"
        f"  Simulated Codat   {simulator_url}/  (what the customer does there, and what happens)\n"
        f"  This service      {local_url}/readyz\n"
        f"  Operators' pages  {local_url}/ops  (user operator, password {password})\n"
        f'  What it knows     curl -H "Authorization: Bearer {key}" {local_url}/v1/connections\n'
        f'  What it told      curl -H "Authorization: Bearer {key}" {local_url}/v1/notifications\n'
        f"  Beside it         {command_line(settings, Path(sys.argv[0]))} connections list\n"
        "\n  Ctrl-C stops everything.\n"
    )


def command_line(settings: Settings, script: Path) -> str:
    """How to call commands on the same data from another shell in the same folder.

    ``script`` is the program of this process.
    """
    words = [sys.executable, "-m", "processor"]
    if script.name == SCRIPT:
        inside = script.is_absolute() and script.is_relative_to(Path.cwd())
        words = [str(script.relative_to(Path.cwd()) if inside else script)]
    prefix = [] if settings.data_dir == DATA_DIR else [f"DATA_DIR={shlex.quote(str(settings.data_dir))}"]
    if settings.redis_url is not None:
        prefix = ["REDIS_URL=YOUR_REDIS_URL"]
    return " ".join([*prefix, shlex.join(words)])


def retry_while_busy(request: Callable[[], Result]) -> Result:
    """Call ``request`` again while the service is too busy; its result. Raises ``httpx.HTTPError``."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return request()
        except httpx.HTTPError as error:
            is_busy = isinstance(error, httpx.TransportError) or (
                isinstance(error, httpx.HTTPStatusError)
                and error.response.status_code == httpx.codes.SERVICE_UNAVAILABLE
            )
            if not is_busy or time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def sign_up_company(
    settings: Settings, name: str = COMPANY, *, brand: str | None = None, lender_url: str | None = None
) -> None:
    """Sign up a new company and print its connect link; print the error if that fails.

    With ``lender_url`` the page there is printed too, which shows the journey in a panel.

    Each run needs a new company, because the simulated Codat keeps nothing.
    """
    fields = {"merchant_id": f"demo-{secrets.token_hex(3)}", "name": name, "brand": brand}

    def sign_up() -> str:
        response = httpx.post(
            f"{settings.local_url}/v1/companies",
            headers={"Authorization": f"Bearer {settings.api_keys[0]}"},
            json=fields,
            timeout=TIMEOUT_S,
            trust_env=False,
        )
        return str(response.raise_for_status().json()["connect_url"])

    try:
        url = retry_while_busy(sign_up)
    except (httpx.HTTPError, ValueError, KeyError) as error:
        click.echo(f"\n  {name} could not be signed up: {error}\n", err=True)
    else:
        place = "Start here: the journey" if brand is None else "Under another brand: the journey"
        click.echo(f"\n  {place} of {name}\n  {url}\n")
        if lender_url is not None:
            click.echo(f"  The same in a panel of a lender's page\n  {lender_url}?connect={url}\n")
