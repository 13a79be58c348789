"""``companies erase``: what was named and nothing else, and never what nobody was asked about."""

import json
import os
import pty
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from processor.store import keys
from tests.processor.web.v1.filling import Filling
from tests.support import preloaded
from tests.support.counting import everything

Run = Callable[..., Result]
COMPANY = "1b1bf54f-5fe0-4ab6-b42b-3b1d5c4e5a01"


@pytest.fixture
def full(filling: Filling) -> Filling:
    """A company, and a message that nobody understood."""
    filling.make_ready(company=COMPANY)
    filling.accept(b"not json", "quarantined")
    return filling


@pytest.mark.parametrize("named", ["1b1bf54f-5fe0-4ab6-b42b-3b1d5c4e5a99", "xero", "json"])
@pytest.mark.parametrize("more", [(), ("--yes",), ("--json",), ("--yes", "--json")])
def test_an_unknown_id_is_an_error_and_nothing_is_written(
    full: Filling, run: Run, named: str, more: tuple[str, ...]
) -> None:
    before = everything(full.container.redis)
    answer = run("companies", "erase", named, *more)
    assert answer.exit_code == 1
    assert answer.output == (
        "Error: There is no company with this id here, and none was erased; nothing was changed.\n"
    )
    assert everything(full.container.redis) == before


@pytest.mark.parametrize("blank", ["", " "])
def test_a_blank_is_no_id(full: Filling, run: Run, blank: str) -> None:
    before = everything(full.container.redis)
    assert run("companies", "erase", blank, "--yes").exit_code == 2
    assert everything(full.container.redis) == before


@pytest.mark.parametrize("more", [("--json",), ("--json", "--yes")])
def test_a_program_that_gives_the_id_is_not_asked(full: Filling, run: Run, more: tuple[str, ...]) -> None:
    before = everything(full.container.redis)
    assert run("companies", "erase", COMPANY, *more[:1], input="no\n").exit_code == 1
    assert everything(full.container.redis) == before
    done = json.loads(run("companies", "erase", COMPANY, *more).stdout)
    assert (done["company_id"], done["removed"]["companies"], done["found"]) == (COMPANY, 1, [])


@pytest.mark.parametrize(("answer", "code", "left"), [(b"n\n", 1, True), (b"y\n", 0, False)])
def test_whoever_sits_at_a_terminal_is_asked(
    full: Filling, tmp_path: Path, answer: bytes, code: int, left: bool
) -> None:
    ours, theirs = pty.openpty()
    words = ["processor", "companies", "erase", COMPANY, "--json"]
    os.write(ours, answer)
    with os.fdopen(theirs, "rb", buffering=0) as terminal:
        done = preloaded.run(words, env={**os.environ, **full.environ}, cwd=tmp_path, stdin=terminal)
    os.close(ours)

    assert done.returncode == code
    assert "Go on?" in done.stderr
    assert ("company_id" in done.stdout) is not left
    assert (full.container.reader.company(COMPANY) is not None) is left


def test_in_capitals_it_is_the_same_company_and_the_second_time_says_when_the_first_was(
    full: Filling, run: Run
) -> None:
    first = run("companies", "erase", f" {COMPANY.upper()}", "--yes")
    assert first.exit_code == 0, first.output
    assert "nothing is left" in first.output
    assert full.container.reader.company(COMPANY) is None
    assert full.container.reader.event("quarantined") is not None
    erased_at = full.container.reader.erased_at(COMPANY)

    again = run("companies", "erase", COMPANY)  # there is nothing to ask about
    assert again.exit_code == 0, again.output
    assert f"was erased before, at {erased_at}" in again.output
    assert "nothing is left" in again.output
    fields = json.loads(run("companies", "erase", COMPANY, "--json").output)
    assert fields["erased_at"] == erased_at
    assert full.container.redis.keys(b"codat:{*}:erased:*") == [keys.erased(COMPANY).encode()]


def test_an_erasure_says_that_the_file_of_redis_still_holds_the_old_writes(full: Filling, run: Run) -> None:
    redis = full.container.redis
    redis.acl_setuser("default", enabled=True, commands=["-bgrewriteaof"])
    try:
        first = run("companies", "erase", COMPANY, "--yes")
        fields = json.loads(run("companies", "erase", COMPANY, "--json").output)
    finally:
        redis.acl_setuser("default", enabled=True, commands=["+bgrewriteaof"])
    assert first.exit_code == 0
    assert "did not begin to rewrite" in first.output
    assert fields["file_rewritten"] is False


def test_what_came_since_is_asked_about_again(full: Filling, run: Run) -> None:
    run("companies", "erase", COMPANY, "--yes")
    full.accept(json.dumps({"x": COMPANY}).encode(), "late")
    assert run("companies", "erase", COMPANY, "--json", input="n\n").exit_code == 1
    assert full.container.reader.event("late") is not None
    assert run("companies", "erase", COMPANY, "--yes").exit_code == 0
    assert full.container.reader.event("late") is None
