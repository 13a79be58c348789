"""``reconcile``, ``rebuild``, ``webhooks``, ``companies``: against a simulated Codat, with a real worker."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from processor.cli import main
from processor.settings.loading import load
from processor.simulator import SimulatorConfig, SimulatorServer
from processor.store import keys
from tests.support import cells, messages, preloaded
from tests.support.journeying import working
from tests.support.service import until
from tests.support.workbench import Workbench

URL = "https://us.example/webhooks/codat"
Run = Callable[..., Result]


@pytest.fixture
def codat() -> Iterator[SimulatorServer]:
    """A simulated Codat of which we hear nothing."""
    with SimulatorServer(SimulatorConfig(auto_sync=False)) as server:
        yield server


def environ(redis_url: str, codat: SimulatorServer) -> dict[str, str]:
    return {
        "REDIS_URL": redis_url,
        "CODAT_WEBHOOK_SECRETS": messages.SECRET,
        "CODAT_API_KEY": codat.config.api_key,
        "CODAT_API_URL": codat.url,
        "PYTHONPATH": str(Path(__file__).resolve().parents[3]),
    }


@pytest.fixture
def run(
    redis_url: str,
    codat: SimulatorServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    own_logging: None,
) -> Run:
    """Runs a command in this process; the worker that it starts finds the same settings."""
    del own_logging
    monkeypatch.chdir(tmp_path)

    def run(*words: str, input: str | None = None, **more: str) -> Result:
        return CliRunner(env={**environ(redis_url, codat), **more}).invoke(
            main, words, prog_name="codat-processor", input=input
        )

    return run


@pytest.fixture
def worker(redis_url: str, codat: SimulatorServer) -> Iterator[None]:
    """A worker that runs already, so that no command starts one."""
    with working(load(environ(redis_url, codat))):
        yield


@pytest.fixture
def bench(redis_url: str) -> Iterator[Workbench]:
    """A look into the store."""
    with Redis.from_url(redis_url) as client:
        yield Workbench(client)


def shop(codat: SimulatorServer, name: str = "Bakery", *steps: str) -> tuple[str, str]:
    world = codat.simulation.world
    company = world.create_company(name, {"merchantId": f"m-{name}"}).id
    connection = world.create_connection(company, "gbol").id
    for step in steps:
        codat.simulation.change(connection, step, {"auto_sync": False})
    return company, connection


def test_reconcile_prints_what_differed_and_repairs_it_without_a_worker(
    run: Run, codat: SimulatorServer, bench: Workbench
) -> None:
    company, connection = shop(codat, "Bakery", "authorize", "complete-sync")

    shown = run("reconcile", "--dry-run")
    assert shown.exit_code == 0, shown.output
    assert connection in shown.stdout
    assert "would be repaired" in shown.stdout
    assert bench.state(connection) is None

    done = run("reconcile", "--json")
    assert done.exit_code == 0, done.output
    fields = json.loads(done.stdout)
    assert (fields["companies"], fields["problems"]) == (1, [])
    assert {item["after"] for item in fields["items"] if item["connection_id"]} == {"authorized", "ready"}
    assert bench.state(connection) == "ready"  # a worker was started for it and ended
    assert not bench.client.zcard(keys.alive("worker"))

    assert "1 compared, 0 differences repaired" in run("reconcile", "--company", company).stdout
    unknown = run("reconcile", "--company", "nobody")
    assert unknown.exit_code == 1
    assert "know this company" in unknown.output


@pytest.mark.usefixtures("worker")
def test_what_could_not_be_compared_is_named(run: Run, codat: SimulatorServer) -> None:
    company, _ = shop(codat, "Bakery", "authorize")
    codat.simulation.faults.plan({"path": "/data/history", "status": 503, "count": 3})

    result = run("reconcile")

    assert result.exit_code == 1
    assert f"{company}  not compared" in result.output


@pytest.mark.usefixtures("worker")
def test_rebuild_refills_an_empty_store_and_refuses_a_full_one(
    run: Run, codat: SimulatorServer, bench: Workbench
) -> None:
    for number in range(5):
        shop(codat, f"Shop {number}", "authorize", "complete-sync")
    codat.simulation.faults.plan({"path": "/data/history", "status": 503, "count": 3})

    first = run("rebuild")
    assert first.exit_code in (0, 1), first.output
    again = run("rebuild", "--json") if first.exit_code else first
    assert again.exit_code == 0, again.output

    assert cells.count(bench.client, keys.connections_in, "ready") == 5
    assert bench.told() == []
    full = run("rebuild")
    assert full.exit_code == 1
    assert "not empty" in full.output


@pytest.mark.usefixtures("worker")
def test_rebuild_after_messages_came_and_reconcile_of_a_new_store_tell_nothing_again(
    run: Run, codat: SimulatorServer, bench: Workbench
) -> None:
    """One message after the loss made rebuild recommend reconcile, which told 305 merchants everything."""
    (heard_of, _), (company, _), *_ = (
        shop(codat, f"Shop {number}", "authorize", "complete-sync") for number in range(5)
    )
    bench.clock.now = datetime.now(UTC) + timedelta(seconds=2)  # Codat's times may be whole seconds
    bench.handle(messages.other(company_id=heard_of))

    result = run("reconcile", "--company", company, "--json")
    assert result.exit_code == 0, result.output
    assert "nobody is told" in result.stderr
    shown = run("reconcile", "--dry-run")
    assert shown.exit_code == 0, shown.output
    assert "nobody is told" in shown.stderr
    assert cells.count(bench.client, keys.connections_in, "ready") == 1
    back = run("rebuild")

    assert back.exit_code == 0, back.output
    assert "5 of 5 companies are back" in back.stdout
    assert cells.count(bench.client, keys.connections_in, "ready") == 5
    assert bench.told() == []
    full = run("rebuild")
    assert full.exit_code == 1
    assert "reconcile --dry-run" in full.output
    agreed = run("reconcile")
    assert "5 compared, 0 differences repaired" in agreed.stdout
    assert agreed.stderr == ""


@pytest.mark.usefixtures("worker")
def test_rebuild_with_a_wrong_key_leaves_nothing_behind(
    run: Run, codat: SimulatorServer, bench: Workbench
) -> None:
    """It used to leave a mark, by which a later rebuild ran on a full store and swallowed what was news."""
    for number in range(3):
        shop(codat, f"Shop {number}", "authorize")

    refused = run("rebuild", CODAT_API_KEY="wrong")
    assert refused.exit_code == 1
    assert not bench.client.exists(keys.rebuild(), keys.sweep())
    assert cells.fields(bench.client, keys.look_reasons) == 0
    assert run("reconcile").exit_code == 0

    full = run("rebuild")
    assert full.exit_code == 1
    assert "not empty" in full.output
    assert bench.told() == []


def test_ctrl_c_ends_it_although_codat_wants_a_long_pause(
    redis_url: str, codat: SimulatorServer, tmp_path: Path
) -> None:
    """Threads that waited for Codat used to keep the command for up to 15 minutes."""
    for number in range(3):
        shop(codat, f"Shop {number}", "authorize")
    codat.simulation.faults.plan(
        {"path": "/data/history", "status": 429, "retry_after_s": 600, "count": 1_000}
    )
    env = {**os.environ, **environ(redis_url, codat)}
    with (tmp_path / "log").open("wb") as log:
        process = preloaded.start(["processor", "rebuild"], env=env, cwd=tmp_path, output=log)
    try:
        until(lambda: codat.simulation.faults.as_json()["faults"][0]["count"] < 1_000)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    finally:
        process.kill()


def test_webhooks_are_registered_listed_and_removed(run: Run) -> None:
    made = run("webhooks", "register", "--url", URL)
    assert made.exit_code == 0, made.output
    assert "codat-processor webhooks add-secret" in made.stdout
    again = json.loads(run("webhooks", "register", "--url", URL, "--json").stdout)
    assert again["made"] is False
    listed = json.loads(run("webhooks", "list", "--json").stdout)["items"]
    assert [(item["url"], item["enabled"], item["complete"]) for item in listed] == [(URL, True, True)]
    assert URL in run("webhooks", "list").stdout

    assert run("webhooks", "remove", "unknown").exit_code == 1
    assert "removed" in run("webhooks", "remove", URL).stdout
    assert json.loads(run("webhooks", "list", "--json").stdout)["items"] == []
    assert run("webhooks", "register", "--url", "nowhere").exit_code == 1

    wrong = run("webhooks", "register", "--url", "http://us.example/")
    assert wrong.exit_code == 1
    assert "/webhooks/codat" in wrong.output
    assert "https://" in wrong.output
    assert json.loads(run("webhooks", "list", "--json").stdout)["items"] == []
    assert run("webhooks", "register", "--url", "http://us.example/", "--force").exit_code == 0


def test_without_a_key_codat_is_not_asked(run: Run) -> None:
    for words in (["reconcile"], ["rebuild"], ["webhooks", "list"]):
        result = run(*words, CODAT_API_KEY="")
        assert result.exit_code == 1
        assert "CODAT_API_KEY is not set" in result.output


@pytest.mark.usefixtures("worker")
def test_a_company_is_erased_after_a_question_and_it_is_proven(
    run: Run, codat: SimulatorServer, bench: Workbench
) -> None:
    company, connection = shop(codat, "Bakery", "authorize")
    run("reconcile")
    assert bench.state(connection) == "authorized"
    assert company in run("companies", "list").stdout

    assert run("companies", "erase", company, input="n\n").exit_code == 1
    assert bench.state(connection) == "authorized"
    result = run("companies", "erase", company, input="y\n")

    assert result.exit_code == 0, result.output
    assert "nothing is left" in result.stdout
    assert bench.state(connection) is None
    again = json.loads(run("companies", "erase", company, "--json").stdout)
    assert (again["removed"]["connections"], again["found"]) == (0, [])


@pytest.mark.usefixtures("worker")
def test_a_trace_that_is_left_is_told(run: Run, codat: SimulatorServer, bench: Workbench) -> None:
    company, _ = shop(codat, "Bakery", "authorize")
    run("reconcile")
    bench.client.set("somebody-elses-cache", f"about {company}")

    result = run("companies", "erase", company, "--yes")

    assert result.exit_code == 1
    assert "FOUND in somebody-elses-cache" in result.output


@pytest.mark.usefixtures("worker")
def test_a_reconcile_that_waits_for_codat_says_so(run: Run, codat: SimulatorServer, bench: Workbench) -> None:
    """Codat answered 429 without Retry-After: the command stood still for a minute and said nothing."""
    company, connection = shop(codat, "Bakery", "authorize")
    codat.simulation.faults.plan({"path": "/companies", "status": 429, "retry_after_s": 1, "count": 1})

    result = run("reconcile", "--company", company)

    assert result.exit_code == 0, result.output
    assert f"{company}  Codat takes no more requests for now (429): going on in 1 s" in result.stderr
    assert bench.state(connection) == "authorized"


@pytest.mark.usefixtures("worker")
def test_an_operator_has_a_company_read_from_a_terminal(run: Run, codat: SimulatorServer) -> None:
    """No first read follows a token that was brought: there was no command that has it read."""
    company, connection = shop(codat, "Bakery", "authorize")
    assert run("reconcile", "--company", company).exit_code == 0

    done = run("companies", "read", company)
    assert done.exit_code == 0, done.output
    assert f"Codat was told to read {company}" in done.stdout
    assert codat.simulation.world.find_connection(connection).first_read is not None
    fields = json.loads(run("companies", "read", company, "--json").stdout)
    assert fields["id"] == company
    unknown = run("companies", "read", "nobody")
    assert unknown.exit_code == 1
    assert "no company with this id" in unknown.output
