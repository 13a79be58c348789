"""``check``: validates what the service needs before it starts; the release command of the Procfile."""

import os
import sys
from collections.abc import Iterator

import click

from processor.cli.demo_settings import load_settings
from processor.errors import EngineFailed, SettingsError
from processor.runtime import logs
from processor.runtime.embedded_engine import Engine
from processor.runtime.preflight.codat import check_codat
from processor.runtime.preflight.conditions import check_conditions
from processor.runtime.preflight.redis import check_queue, check_redis
from processor.runtime.preflight.results import REDIS, SETTINGS, CheckResult, CheckStatus
from processor.runtime.preflight.settings import check_mail, check_settings
from processor.settings.definitions import Settings
from processor.settings.loading import DOTENV, find_misspelled


@click.command()
def check() -> None:
    """Validate settings, Redis, Codat key and clock: one line each; exit code 1 on an error."""
    failed = False
    for result in _run_checks():
        click.echo(str(result))
        failed = failed or result.status is CheckStatus.ERROR
    sys.exit(1 if failed else 0)


def _run_checks() -> Iterator[CheckResult]:
    try:
        settings = load_settings()
    except SettingsError as error:
        yield from map(SETTINGS.error, error.mistakes)
        return
    logs.configure("ERROR", settings.secrets())
    yield from check_settings(settings)
    yield from map(SETTINGS.warning, find_misspelled(os.environ, DOTENV))
    yield from _check_store(settings)
    yield from check_queue(settings)
    yield from check_codat(settings)
    yield from check_mail(settings)


def _check_store(settings: Settings) -> Iterator[CheckResult]:
    if settings.redis_url is not None:
        yield from check_redis(settings, settings.redis_url)
        yield from check_conditions(settings, settings.redis_url)
        return
    try:
        with Engine(settings.data_dir) as engine:
            yield from check_redis(settings, engine.url)
            yield from check_conditions(settings, engine.url)
    except EngineFailed as error:
        yield REDIS.error(error.detail)
