"""The files for deploying name processes, settings, files and commands that exist."""

import json
import re
import shlex
import tomllib
from configparser import ConfigParser
from importlib.metadata import distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from processor.cli import COMMANDS
from processor.settings.definitions import definitions

ROOT = Path(__file__).parents[2]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_heroku_is_told_of_every_process_and_of_settings_that_there_are() -> None:
    """There was no `app.json`, so each setting and process had to be set by hand."""
    app = json.loads(read("app.json"))
    processes = {line.partition(":")[0] for line in read("Procfile").splitlines() if line}
    assert set(app["formation"]) == processes - {"release"}
    assert set(app["env"]) <= {row.name for row in definitions()}
    assert {"PUBLIC_URL", "CODAT_API_KEY", "CODAT_WEBHOOK_SECRETS"} <= set(app["env"])


def test_the_python_that_is_named_is_one_that_we_support() -> None:
    version = tuple(map(int, read(".python-version").strip().split(".")))
    oldest = tomllib.loads(read("pyproject.toml"))["project"]["requires-python"].removeprefix(">=")
    assert version >= tuple(map(int, oldest.split(".")))


def test_the_container_copies_what_there_is_and_runs_a_command_of_ours() -> None:
    lines = read("Dockerfile").splitlines()
    copied = [word for line in lines if line.startswith("COPY ") for word in shlex.split(line)[1:-1]]
    assert len(copied) > 3
    assert [name for name in copied if not (ROOT / name).exists()] == []
    allowed = {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
    assert set(copied) == allowed
    (command,) = [json.loads(line.removeprefix("CMD ")) for line in lines if line.startswith("CMD ")]
    assert command[0] in COMMANDS


def test_the_lock_has_the_required_versions_and_hashes_of_each() -> None:
    """A version says which release is installed, not which bytes."""
    pinned = {line for line in read("requirements.txt").splitlines() if "==" in line}
    locked = read("deploy/requirements.lock").replace(" \\\n    ", " ").splitlines()
    named = {line.partition(" --hash=")[0] for line in locked}
    assert {line for line in named if not line.startswith("setuptools==")} == pinned
    assert all(" --hash=sha256:" in line for line in locked)


@pytest.mark.parametrize("version", ["3.11.0", "3.11.3", "3.14.0"])
def test_the_lock_has_what_its_packages_require(version: str) -> None:
    """With the 3.11.2 of Debian 12 the installation failed: redis requires one package more there."""
    environment = {"python_full_version": version, "python_version": version.rpartition(".")[0], "extra": ""}
    pinned = [Requirement(line) for line in read("requirements.txt").splitlines() if "==" in line]
    has = {canonicalize_name(row.name) for row in pinned if applies(row, environment)}
    missing = {
        f"{row.name}: {wanted}"
        for row in pinned
        if is_installed(row)
        for wanted in map(Requirement, requires(row.name) or ())
        if applies(wanted, environment) and canonicalize_name(wanted.name) not in has
    }
    assert missing == set()


def applies(requirement: Requirement, environment: dict[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(environment)


def is_installed(row: Requirement) -> bool:
    """Whether this very version is here; the extra ``bench`` brings others of some packages."""
    return any(row.specifier.contains(package.version) for package in distributions(name=row.name))


def test_the_unit_runs_commands_of_ours() -> None:
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment]
    unit.read_string(read("deploy/codat-processor.service"))
    service = unit["Service"]
    for name in ("ExecStartPre", "ExecStart"):
        program, word = service[name].split()
        assert program.endswith("/.venv/bin/codat-processor")
        assert word in COMMANDS


def test_a_backups_recipe_names_commands_that_there_are() -> None:
    """The documentation did not say how to back up, nor what to do after a restore."""
    page = read("docs/deploying.md")
    assert "## Backups" in page
    words = re.findall(r"codat-processor ([a-z][a-z-]*)", page)
    assert set(words) & {"reconcile", "companies"} == {"reconcile", "companies"}
