"""``reconcile``, ``rebuild``: operators compare with Codat, and refill."""

import contextlib
import dataclasses
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

import click

from processor.cli.browse import as_json_option, codat_id, connections
from processor.cli.printing import Column, print_fields, print_json, print_table
from processor.cli.store_access import open_store
from processor.clock import to_ms
from processor.container import Container
from processor.errors import Conflict, NotFound, ProcessorError
from processor.reconciliation import wiring
from processor.reconciliation.full_run import CompanyResult
from processor.resources import queries
from processor.runtime.supervisor import Child, Supervisor
from processor.store import heartbeats, keys

FIRST = (
    "This store had not gone through Codat's companies before: of those that it never heard of, what was"
    " there before it began becomes known, and nobody is told."
)

HANDLED_WITHIN_S = 600.0
LOOK_EVERY_S = 0.1

DIFFERENCE_COLUMNS: tuple[Column, ...] = (
    ("COMPANY", lambda item: item["company_id"]),
    ("CONNECTION", lambda item: item["connection_id"]),
    ("WE KNEW", lambda item: item["before"]),
    ("CODAT SHOWS", lambda item: item["after"]),
    ("WHY", lambda item: item["reason"]),
)


@click.command()
@click.option("--company", "company_id", metavar="ID", callback=codat_id, help="Only this company.")
@click.option("--dry-run", is_flag=True, help="Print what differs and change nothing.")
@as_json_option
def reconcile(company_id: str | None, *, dry_run: bool, as_json: bool) -> None:
    """Ask Codat, print what differed, repair."""
    with open_store() as container, _interruptible() as stop:
        services = _build_services(container, stop)
        is_first = services.reconciler.is_first
        if company_id is not None:
            results: Iterator[CompanyResult] = iter(
                [services.reconciler.run_one(company_id, dry_run=dry_run)]
            )
        else:
            results = services.reconciler.run_all(dry_run=dry_run)
        companies, found, problems = 0, [], []
        for result in results:
            companies += 1
            if result.error is not None:
                problems.append({"company_id": result.company_id, **result.error.problem()})
            if result.diff is not None:
                found += [dataclasses.asdict(one) for one in result.diff.differences]
                problems += [_damaged(result.company_id, one) for one in result.diff.unreadable_ids]
        if company_id is not None and not found and not problems and _is_unknown(container, company_id):
            raise NotFound("Neither Codat nor we know this company, or it was erased.")
        if not dry_run:
            _handle(container)
    _report(companies, found, problems, dry_run=dry_run, as_json=as_json)
    if is_first:
        click.echo(FIRST, err=True)
    sys.exit(1 if problems else 0)


def _damaged(company_id: str, connection_id: str) -> dict[str, Any]:
    """That a connection was not compared, and the command that mends it."""
    problem = Conflict(
        f"What is stored of connection {connection_id} cannot be read:"
        f" `codat-processor connections repair {connection_id}` mends it."
    )
    return {"company_id": company_id, "connection_id": connection_id, **problem.problem()}


def _report(
    companies: int,
    found: Sequence[dict[str, Any]],
    problems: Sequence[dict[str, Any]],
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    if as_json:
        print_json({"companies": companies, "items": list(found), "problems": list(problems)})
        return
    if found:
        print_table(found, DIFFERENCE_COLUMNS)
    for problem in problems:
        click.echo(f"{problem['company_id']}  not compared: {problem['detail']}", err=True)
    done = "would be repaired" if dry_run else "repaired"
    click.echo(f"{companies} compared, {len(found)} differences {done}, {len(problems)} not compared.")


@click.command()
@as_json_option
def rebuild(*, as_json: bool) -> None:
    """Refill a new store from Codat, without telling anybody anything; run it again to go on."""
    with open_store() as container, _interruptible() as stop:
        services = _build_services(container, stop)
        companies = services.rebuild.prepare()
        before, total = services.rebuild.completed, services.rebuild.completed + len(companies)
        with contextlib.ExitStack() as stack:
            steps: Iterator[CompanyResult] = services.rebuild.run(companies)
            if not as_json:
                if before:
                    click.echo(f"Going on: {before} of {total} companies are known already.")
                hidden = not sys.stdout.isatty()
                bar = click.progressbar(
                    steps, length=len(companies), label="Companies", show_pos=True, hidden=hidden
                )
                steps = iter(stack.enter_context(bar))
            for _ in steps:
                pass
        problems = [
            {"company_id": failure.company_id, **failure.error.problem()}
            for failure in services.rebuild.failures
            if failure.error is not None
        ]
        _handle(container)
        counts = container.reader.stats(queries.STATES)
    said = {
        "companies": total,
        "done": services.rebuild.completed,
        "connections": counts["connections"],
        "problems": problems,
    }
    if as_json:
        print_json(said)
    else:
        for problem in problems:
            click.echo(f"{problem['company_id']}  not read: {problem['detail']}", err=True)
        click.echo(
            f"{services.rebuild.completed} of {total} companies are back; the rebuild told nobody anything."
        )
        print_fields({state: count for state, count in counts["connections"].items() if count})
        if problems:
            click.echo("Run it again to go on.")
    sys.exit(1 if problems else 0)


@connections.command("repair")
@click.argument("connection_id", metavar="ID", callback=codat_id)
@as_json_option
def repair_connection(connection_id: str, *, as_json: bool) -> None:
    """Make the damaged record of a connection again, from kept messages or else from Codat."""
    with open_store() as container:
        repaired = wiring.build_repair(container).run(connection_id)
        _handle(container)
        found = queries.connection(container.reader, connection_id)
    if as_json:
        print_json({**dataclasses.asdict(repaired), "state": found["state"]})
        return
    source = "kept messages" if repaired.source == "messages" else "findings at Codat"
    click.echo(f"{connection_id} is {found['state']}: made again from {repaired.count} {source}.")
    if repaired.replayed:
        click.echo(f"Messages that had waited for this and are handled now: {repaired.replayed}.")


COMMANDS: tuple[click.Command, ...] = (connections, reconcile, rebuild)


@contextlib.contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Set by Ctrl-C, so that threads that wait where Codat says so do not keep the command from ending."""
    stop = threading.Event()

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def _build_services(container: Container, stop: threading.Event) -> wiring.Reconciliation:
    services = wiring.build_reconciliation(
        container, stop=stop.is_set, sleep=stop.wait, on_wait=_say_that_it_waits
    )
    if services is None:
        raise ProcessorError("CODAT_API_KEY is not set: Codat cannot be asked.")
    return services


def _say_that_it_waits(company_id: str, seconds: int) -> None:
    click.echo(
        f"{company_id}  Codat takes no more requests for now (429): going on in {seconds} s; Ctrl-C ends it.",
        err=True,
    )


def _is_unknown(container: Container, company_id: str) -> bool:
    return not container.reader.company(company_id)


def _handle(container: Container) -> None:
    """Wait until the findings are handled: by the workers, or where there are none by one of our own."""
    now_ms = to_ms(container.clock())
    is_served = container.redis.zcount(keys.alive("worker"), now_ms - heartbeats.MISSED_AFTER_MS, "+inf")
    with contextlib.ExitStack() as stack:
        if not is_served and container.inbox.depth():
            url = container.settings.redis_url or ""
            worker = Child(
                name="drain", argv=(sys.executable, "-m", "workers", "drain"), env={"REDIS_URL": url}
            )
            stack.enter_context(Supervisor([worker]))
        if not _wait(lambda: not container.inbox.depth()):
            click.echo("Not everything is handled yet: look whether workers run.", err=True)


def _wait(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + HANDLED_WITHIN_S
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(LOOK_EVERY_S)
    return True
