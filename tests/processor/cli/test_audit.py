"""Commands in the audit trail."""

import json
from pathlib import Path

import click
import pytest

from processor.access.audit import ActorKind, AuditedAction
from processor.cli import audited, main
from processor.store.waker import Waker
from tests.processor.cli.conftest import Run
from tests.processor.web.v1.filling import Filling

WITHOUT_STORE = {"run", "web", "worker", "clock", "demo", "check", "operators hash", "encryption key"}
"""Commands that act on no stored object by themselves."""

CHANGING = {
    *("connections ask", "connections link", "connections repair", "connections replay"),
    *("connections unlink", "events discard", "events forget", "events replay", "notifications redeliver"),
    *("dead-letters replay", "subscribers add", "subscribers disable", "subscribers enable"),
    *(
        "subscribers remove",
        "subscribers rotate",
        "subscribers test",
        "subscribers portal",
        "subscribers revoke-portal",
        "reconcile",
        "rebuild",
    ),
    *("webhooks register", "webhooks remove", "webhooks add-secret", "webhooks remove-secret"),
    *("companies erase", "companies read", "wake"),
    *("operators revoke", "api-keys add", "api-keys revoke", "encryption rotate"),
    *("companies revoke-links", "conditions mute", "conditions unmute", "store export", "store import"),
}


def leaves(command: click.Command | None, path: tuple[str, ...] = ()) -> list[str]:
    """The names of all commands below ``command``."""
    assert command is not None
    if not isinstance(command, click.Group):
        return [" ".join(path)]
    context = click.Context(command)
    names = command.list_commands(context)
    return [leaf for name in names for leaf in leaves(command.get_command(context, name), (*path, name))]


def test_every_command_reads_or_is_recorded() -> None:
    commands = set(leaves(main))
    assert commands >= audited.READ_ONLY
    assert commands - audited.READ_ONLY - WITHOUT_STORE == CHANGING


@pytest.fixture
def entries(filling: Filling):
    """What was recorded, oldest first."""
    return lambda: [
        (row["kind"], row["action"], row["target"], row["outcome"])
        for row in reversed(filling.container.audit.entries(limit=50).items)
    ]


def test_a_command_is_recorded_with_its_end_and_without_secrets(run: Run, entries) -> None:
    assert run("subscribers", "list").exit_code == 0
    assert (
        run("subscribers", "add", "https://receiver.example/?key=hush", "--header", "X:hush").exit_code == 0
    )
    assert run("subscribers", "rotate", "none").exit_code == 1  # refused: nothing was done
    assert run("wake").exit_code == 0
    seen = entries()
    assert [row[1:] for row in seen] == [
        ("subscribers add", None, "done"),
        ("wake", None, "done"),
    ]
    assert {row[0] for row in seen} == {"command"}
    listed = run("audit", "list", "--json")
    assert [row["action"] for row in json.loads(listed.output)["items"]] == [row[1] for row in reversed(seen)]
    assert "hush" not in listed.output
    lines = [json.loads(line) for line in run("audit", "export").output.splitlines()]
    assert [row["action"] for row in lines] == [row[1] for row in seen]


def test_a_company_is_erased_from_the_trail_and_the_erasure_stays(
    run: Run, filling: Filling, entries
) -> None:
    filling.make_ready()
    filling.container.audit.append(AuditedAction(ActorKind.OPERATOR, "anna", "ops unlink", "c1 xero", "done"))
    result = run("companies", "erase", "c1", "--yes")
    assert "nothing is left" in result.output
    assert entries() == [
        ("operator", "ops unlink", None, "done"),
        ("command", "companies erase", None, "done"),
    ]
    assert run("audit", "verify").exit_code == 0


def test_a_command_that_fails_half_way_is_recorded(
    run: Run, monkeypatch: pytest.MonkeyPatch, entries
) -> None:
    def fail(_: object) -> None:
        raise OSError("half-way")

    monkeypatch.setattr(Waker, "wake_all", fail)
    assert run("wake").exit_code == 1
    assert entries() == [("command", "wake", None, "failed")]


def test_a_failed_import_writes_nothing_into_the_store(run: Run, filling: Filling, tmp_path: Path) -> None:
    (tmp_path / "store.export").write_bytes(b"no export")
    result = run("store", "import", "store.export")
    assert result.exit_code == 1
    assert not list(filling.container.redis.scan_iter("codat:{access}:*"))


def test_a_file_that_cannot_be_opened_is_one_sentence(run: Run) -> None:
    for way in ("export", "import"):
        result = run("store", way, "/nonexistent/x")
        assert result.exit_code == 1
        assert "No such file or directory." in result.output
        assert len(result.output.splitlines()) == 1, result.output


def test_verify_says_what_is_not_whole(run: Run, filling: Filling) -> None:
    run("wake")
    run("wake")
    store = filling.container.redis
    (oldest, _), _ = store.xrange("codat:{access}:audit")
    store.xdel("codat:{access}:audit", oldest)
    result = run("audit", "verify")
    assert result.exit_code == 1
    assert "The oldest entries are missing." in result.output


def test_a_key_is_made_listed_and_revoked(run: Run, entries) -> None:
    made = json.loads(run("api-keys", "add", "billing", "--scope", "read", "--json").output)
    assert made["key"].startswith("cpk_")
    listed = json.loads(run("api-keys", "list", "--json").output)["items"]
    assert [(row["name"], row["scopes"]) for row in listed[-1:]] == [("billing", ["read"])]
    assert made["key"] not in str(listed)
    assert run("api-keys", "add", "billing", "--scope", "read").exit_code == 1
    assert run("api-keys", "revoke", "billing").exit_code == 0
    assert run("api-keys", "revoke", "billing").exit_code == 1
    assert run("api-keys", "revoke", "key-1").exit_code == 1
    assert [row[1:] for row in entries()] == [
        ("api-keys add", "billing", "done"),
        ("api-keys revoke", "billing", "done"),
    ]
