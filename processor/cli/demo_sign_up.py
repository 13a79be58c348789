"""What the demonstration shows: what to open, a company that signed up with its link, and the way back."""

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

Made = TypeVar("Made")

SCRIPT = "codat-processor"
DEMO = "demo"
"""What opens the API and the operators' pages where nobody set anything else."""

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


def announce(settings: Settings, codat: str) -> None:
    """Print what there is to open and to try; ``codat`` is the address of the simulated Codat."""
    ours = settings.own_url
    key = DEMO if settings.api_keys == (DEMO,) else "YOUR_API_KEY"
    password = DEMO if settings.operator_password == DEMO else "your OPERATOR_PASSWORD"
    click.echo(
        f"\n  Simulated Codat   {codat}/  (create a company, connect it, authorise)\n"
        f"  This service      {ours}/readyz\n"
        f"  Operators' pages  {ours}/ops  (user operator, password {password})\n"
        f'  What it knows     curl -H "Authorization: Bearer {key}" {ours}/v1/connections\n'
        f'  What it told      curl -H "Authorization: Bearer {key}" {ours}/v1/notifications\n'
        f"  Beside it         {command_line(settings, Path(sys.argv[0]))} connections list\n"
        "\n  Ctrl-C stops everything.\n"
    )


def command_line(settings: Settings, script: Path) -> str:
    """What one types in another shell, in the same folder, for the commands to work on the same data.

    ``script`` is what this process was started by.
    """
    words = [sys.executable, "-m", "processor"]
    if script.name == SCRIPT:
        inside = script.is_absolute() and script.is_relative_to(Path.cwd())
        words = [str(script.relative_to(Path.cwd()) if inside else script)]
    where = [] if settings.data_dir == DATA_DIR else [f"DATA_DIR={shlex.quote(str(settings.data_dir))}"]
    if settings.redis_url is not None:
        where = ["REDIS_URL=YOUR_REDIS_URL"]
    return " ".join([*where, shlex.join(words)])


def until_served(ask: Callable[[], Made]) -> Made:
    """What ``ask`` returns, done again while the service is too busy for it; raises ``httpx.HTTPError``."""
    until = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return ask()
        except httpx.HTTPError as error:
            busy = isinstance(error, httpx.TransportError) or (
                isinstance(error, httpx.HTTPStatusError)
                and error.response.status_code == httpx.codes.SERVICE_UNAVAILABLE
            )
            if not busy or time.monotonic() > until:
                raise
        time.sleep(0.1)


def invite(settings: Settings) -> None:
    """Sign a company up, and print the link that opens its journey.

    Each time a new one: the simulated Codat forgets everything when it ends. The service runs without it
    where that goes wrong.
    """
    wish = {"merchant_id": f"demo-{secrets.token_hex(3)}", "name": COMPANY}

    def sign_up() -> str:
        answer = httpx.post(
            f"{settings.own_url}/v1/companies",
            headers={"Authorization": f"Bearer {settings.api_keys[0]}"},
            json=wish,
            timeout=TIMEOUT_S,
            trust_env=False,
        )
        return str(answer.raise_for_status().json()["connect_url"])

    try:
        url = until_served(sign_up)
    except (httpx.HTTPError, ValueError, KeyError) as error:
        click.echo(f"\n  {COMPANY} could not be signed up: {error}\n", err=True)
    else:
        click.echo(f"\n  Start here: the journey of {COMPANY}\n  {url}\n")
