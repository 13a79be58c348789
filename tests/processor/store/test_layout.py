"""The number of cells is fixed when a store is first used."""

import pytest
from click.testing import CliRunner

from processor.cli import main
from processor.errors import SettingsError
from processor.runtime.preflight.redis import check_redis
from processor.settings.loading import load
from processor.store import keys, layout
from processor.web import create_app_from_environment

ENVIRON = {"CODAT_ALERT_AUTHORIZATIONS": "Bearer of-the-tests"}
COMMANDS = (["run"], ["web"], ["worker"], ["clock"], ["events", "list"])


def refuse_all(redis_url, *, cells):
    """The output of every command that must refuse this store, and what ``check`` says of it."""
    environ = {**ENVIRON, "REDIS_URL": redis_url, "CELLS": cells, "PORT": "0"}
    results = [CliRunner(env=environ).invoke(main, command) for command in COMMANDS]
    assert [result.exit_code for result in results] == [1] * len(COMMANDS)
    checked = "\n".join(str(line) for line in check_redis(load(environ), redis_url))
    return [*(result.output for result in results), checked]


def test_the_first_start_writes_the_number_and_the_same_number_is_taken(client):
    for _ in range(2):
        layout.claim(client, 16)
        assert client.get(keys.layout()) == b"%d 16" % layout.VERSION
        assert layout.refusal(client, 16) is None


def test_another_number_is_refused_with_both(client, redis_url):
    layout.claim(client, 16)

    with pytest.raises(SettingsError, match=r"CELLS is 8, .* CELLS=16"):
        layout.claim(client, 8)
    for output in refuse_all(redis_url, cells="8"):
        assert "CELLS is 8, but this store was first used with CELLS=16" in output
    assert client.get(keys.layout()) == b"%d 16" % layout.VERSION


def test_an_application_for_another_server_is_refused_too(client, redis_url, monkeypatch):
    """Its messages were answered 202, and no drain looked at its cells."""
    layout.claim(client, 16)
    for name, value in {**ENVIRON, "REDIS_URL": redis_url, "CELLS": "32"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match="CELLS is 32"):
        create_app_from_environment()


@pytest.mark.parametrize("name", keys.of_old_layout())
def test_a_store_without_cells_is_refused_and_left_as_it_is(client, redis_url, name):
    client.set(name, "old")

    for output in refuse_all(redis_url, cells="16"):
        assert "written by another version of this service" in output
    assert client.keys() == [name.encode()]


@pytest.mark.parametrize("written", ["16", "1 16", f"{layout.VERSION + 1} 16"])
def test_a_store_of_another_version_is_refused(client, written):
    client.set(keys.layout(), written)

    assert "written by another version" in (layout.refusal(client, 16) or "")


def test_a_store_that_is_half_imported_is_refused(client, redis_url):
    layout.claim(client, 16)
    client.hset(keys.importing(), mapping={"id": "x", "frames": 1})

    for output in refuse_all(redis_url, cells="16"):
        assert "An import into this store was interrupted: repeat it, or empty the store." in output
    assert layout.refusal(client, 16, to_import=True) is None
