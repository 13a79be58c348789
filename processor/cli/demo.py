"""``demo``: the whole service with a simulated Codat in front of it."""

import contextlib
import os
import secrets
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Mapping

import click
import httpx

from processor.cli.demo_lender import lender_client
from processor.cli.demo_listener import DemoListener
from processor.cli.demo_settings import share_settings
from processor.cli.demo_welcome import (
    BRAND,
    BRANDED_COMPANY,
    DEMO_LOGIN,
    print_addresses,
    redirect_url,
    retry_while_busy,
    sign_up_company,
)
from processor.cli.run import run_child, store_environment, with_port
from processor.errors import ProcessorError, SettingsError
from processor.runtime import logs
from processor.runtime.ports import port_is_taken
from processor.runtime.stop_signals import StopSignals, handling
from processor.runtime.supervisor import Supervisor
from processor.settings.definitions import Settings
from processor.settings.loading import DOTENV, load
from processor.simulator import (
    STORIES,
    ProductClient,
    SimulatorClient,
    SimulatorConfig,
    SimulatorServer,
    play,
    story_named,
)
from processor.simulator.config import new_authorization, new_webhook_secret
from processor.simulator.lender import BRANDS, LENDER_PATH
from processor.simulator.mailbox import Mailbox

READY_TIMEOUT_S = 60.0
STORY_TIMEOUT_S = 120.0
TERMINATED = 128 + signal.SIGTERM
SIMULATOR_PORT = 8001
PRODUCTS = ("lending", "insights")
"""Products of the simulated client; companies get the first."""


@click.command()
@click.option(
    "--headless", is_flag=True, help="Play a story by itself and exit: 0 when all was told as expected."
)
@click.option(
    "--story",
    "name",
    type=click.Choice([story.name for story in STORIES]),
    help="The story to play (headless: happy unless given).",
)
@click.option(
    "--simulator-port", type=click.IntRange(0, 65535), default=None, help="Port of the simulated Codat."
)
@click.option(
    "--within",
    "within_s",
    type=click.FloatRange(min=0),
    default=STORY_TIMEOUT_S,
    show_default=True,
    help="How long a story may take, in seconds.",
)
def demo(headless: bool, name: str | None, simulator_port: int | None, within_s: float) -> None:
    """The whole service with a simulated Codat: nothing to configure, nothing leaves this machine."""
    with contextlib.ExitStack() as stack:
        environ = _environment(stack, headless=headless)
        if simulator_port is None:
            simulator_port = 0 if headless else SIMULATOR_PORT
        if simulator_port and port_is_taken("127.0.0.1", simulator_port):
            raise SettingsError([f"--simulator-port: somebody listens on port {simulator_port} already."])
        settings = with_port(load(environ, DOTENV))
        logs.configure(settings.log_level, settings.secrets())
        simulator = stack.enter_context(SimulatorServer(_simulator_config(settings, simulator_port)))
        mailbox = stack.enter_context(Mailbox())
        service_environ = {
            "RETURN_URL": f"{simulator.url}{LENDER_PATH}",
            "RETURN_URL_ORIGINS": simulator.url,
            "EMBED_ORIGINS": simulator.url,
            "BRAND_DIR": str(BRANDS),
            "CODAT_PRODUCTS": PRODUCTS[0],
            "PUBLIC_URL": settings.local_url,
            "QUIET_HOURS": "off",
            "SMTP_URL": mailbox.url,
            "MAIL_FROM": "no-reply@lender.example",
            **environ,
            "CODAT_API_URL": simulator.url,
            "PORT": str(settings.port),
        }
        stack.enter_context(share_settings(settings.data_dir, service_environ))
        if headless:
            code = _headless(settings, simulator, service_environ, name, within_s)
        else:
            code = _run(settings, simulator, service_environ, mailbox, name, within_s)
    sys.exit(code)


def _environment(stack: contextlib.ExitStack, *, headless: bool) -> dict[str, str]:
    """The environment with defaults for everything that a demonstration needs.

    A headless demonstration uses free ports and a temporary folder.
    """
    defaults = {
        "CODAT_WEBHOOK_SECRETS": new_webhook_secret(),
        "CODAT_ALERT_AUTHORIZATIONS": new_authorization(),
        "CODAT_API_KEY": secrets.token_urlsafe(24),
        "API_KEYS": DEMO_LOGIN,
        "OPERATOR_PASSWORD": DEMO_LOGIN,
        "ALLOW_PRIVATE_SUBSCRIBERS": "true",
    }
    if headless:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="demo-"))
        defaults |= {"PORT": "0", "LOG_LEVEL": "WARNING", "DATA_DIR": folder}
    return defaults | {name: value for name, value in os.environ.items() if value.strip()}


def _simulator_config(settings: Settings, port: int) -> SimulatorConfig:
    return SimulatorConfig(
        port=port,
        product_url=settings.local_url,
        api_key=settings.codat_api_key or "",
        webhook_url=f"{settings.local_url}/webhooks/codat",
        redirect_url=redirect_url(settings.local_url),
        products=PRODUCTS,
        webhook_secret=settings.codat_webhook_secrets[0],
        alert_authorization=settings.codat_alert_authorizations[0],
    )


def _run(
    settings: Settings,
    simulator: SimulatorServer,
    environ: Mapping[str, str],
    mailbox: Mailbox,
    name: str | None,
    within_s: float,
) -> int:
    """Run until Ctrl-C; play the named story once the service is ready."""
    with (
        StopSignals() as signals,
        DemoListener(click.echo) as listener,
        store_environment(settings) as env,
        lender_client({**environ, **env}, mailbox, simulator.simulation),
    ):
        supervisor = Supervisor([run_child({**environ, **env})])
        click.echo("Starting; the addresses to open come in a few seconds.")

        def welcome() -> None:
            try:
                _subscribe(settings, listener)
            except (ProcessorError, httpx.HTTPError) as error:
                click.echo(f"\n  The demonstration is not complete: {error}\n", err=True)
                return
            print_addresses(settings, simulator.url)
            if name is None:
                sign_up_company(settings, lender_url=f"{simulator.url}{LENDER_PATH}")
                if settings.brand_dir is None:
                    sign_up_company(settings, BRANDED_COMPANY, brand=BRAND)

        threading.Thread(target=welcome, name="welcome", daemon=True).start()
        if name is None:
            return supervisor.run(signals)
        with supervisor, SimulatorClient(simulator.url) as codat, _product(settings) as product:
            _await_ready(settings)
            play(story_named(name), codat, product, click.echo, within_s)
            click.echo("The story is over; the service goes on until Ctrl-C.")
            signals.wait()
    return 0


def _headless(
    settings: Settings,
    simulator: SimulatorServer,
    environ: Mapping[str, str],
    name: str | None,
    within_s: float,
) -> int:
    """Play one story; exit code 0 if it went as expected."""
    story = story_named(name or "happy")
    with (
        handling(signal.SIGTERM, lambda *_: sys.exit(TERMINATED)),
        DemoListener(click.echo) as listener,
        store_environment(settings) as env,
        Supervisor([run_child({**environ, **env})]),
    ):
        _subscribe(settings, listener)
        with SimulatorClient(simulator.url) as codat, _product(settings) as product:
            as_expected = play(story, codat, product, click.echo, within_s)
        received = as_expected and listener.has_received(story.expected)
    click.echo(f"{story.name}: a subscriber heard {'every milestone' if received else 'NOT every milestone'}")
    return 0 if as_expected and received else 1


def _subscribe(settings: Settings, listener: DemoListener) -> None:
    """Register the listener as a subscriber once the service is ready."""
    _await_ready(settings)
    retry_while_busy(lambda: listener.subscribe(settings.local_url, settings.api_keys[0]))


def _product(settings: Settings) -> ProductClient:
    return ProductClient(settings.local_url, settings.api_keys[0])


def _await_ready(settings: Settings) -> None:
    """Wait until the service stores and processes messages."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            response = httpx.get(f"{settings.local_url}/readyz", timeout=2, trust_env=False)
            codes = {condition["code"] for condition in response.json().get("conditions", ())}
            if response.status_code == httpx.codes.OK and codes.isdisjoint(("no_worker", "no_clock")):
                return
        time.sleep(0.05)
    raise SettingsError([f"The service was not ready within {READY_TIMEOUT_S:.0f} s."])
