"""``reconcile`` and ``rebuild``: operators compare the store with Codat, or fill a new store from it."""

import contextlib
import dataclasses
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import click

from processor.cli.options import as_json_option, company_option, wants_json
from processor.cli.printing import Column, print_fields, print_json, print_table
from processor.cli.store_access import open_store
from processor.clock import to_ms
from processor.container import Container
from processor.errors import Conflict, NotFound, ProcessorError
from processor.reconciliation import wiring
from processor.reconciliation.full_run import CompanyResult
from processor.resources import queries
from processor.runtime.stop_signals import handling
from processor.runtime.supervisor import Child, Supervisor
from processor.store import heartbeats, keys

FIRST_RUN = (
    "This store had not gone through Codat's companies before: of those that it never heard of, what was"
    " there before it began becomes known, and nobody is told."
)

MAX_WAIT_S = 600.0
POLL_S = 0.1

DIFFERENCE_COLUMNS: tuple[Column, ...] = (
    ("COMPANY", "company_id"),
    ("CONNECTION", "connection_id"),
    ("WE KNEW", "before"),
    ("CODAT SHOWS", "after"),
    ("WHY", "reason"),
)


@click.command()
@company_option("Only this company.")
@click.option("--dry-run", is_flag=True, help="Print what differs and change nothing.")
@as_json_option
def reconcile(company_id: str | None, *, dry_run: bool) -> None:
    """Ask Codat, print what differed, repair."""
    with open_store() as container, _interruptible() as stop:
        services = _build_services(container, stop)
        is_first = services.reconciler.is_first
        if company_id is not None:
            results: Iterator[CompanyResult] = iter(
                [services.reconciler.reconcile_company(company_id, dry_run=dry_run)]
            )
        else:
            results = services.reconciler.run_all(dry_run=dry_run)
        count = 0
        differences: list[dict[str, Any]] = []
        problems: list[dict[str, Any]] = []
        for result in results:
            count += 1
            if result.error is not None:
                problems.append({"company_id": result.company_id, **result.error.problem()})
            if result.diff is not None:
                differences += map(dataclasses.asdict, result.diff.differences)
                problems += [
                    _unreadable(result.company_id, connection_id)
                    for connection_id in result.diff.unreadable_ids
                ]
        is_unknown = company_id is not None and not container.reader.company(company_id)
        if is_unknown and not differences and not problems:
            raise NotFound("Neither Codat nor we know this company, or it was erased.")
        if not dry_run:
            wait_until_handled(container)
    _report(count, differences, problems, dry_run=dry_run)
    if is_first:
        click.echo(FIRST_RUN, err=True)
    sys.exit(1 if problems else 0)


def _unreadable(company_id: str, connection_id: str) -> dict[str, Any]:
    """The problem of a connection whose record is damaged, with the command that repairs it."""
    problem = Conflict(
        f"What is stored of connection {connection_id} cannot be read:"
        f" `codat-processor connections repair {connection_id}` mends it."
    )
    return {"company_id": company_id, "connection_id": connection_id, **problem.problem()}


def _report(
    count: int, differences: Sequence[dict[str, Any]], problems: Sequence[dict[str, Any]], *, dry_run: bool
) -> None:
    if wants_json():
        print_json({"companies": count, "items": list(differences), "problems": list(problems)})
        return
    if differences:
        print_table(differences, DIFFERENCE_COLUMNS)
    for problem in problems:
        click.echo(f"{problem['company_id']}  not compared: {problem['detail']}", err=True)
    participle = "would be repaired" if dry_run else "repaired"
    click.echo(
        f"{count} compared, {len(differences)} differences {participle}, {len(problems)} not compared."
    )


@click.command()
@as_json_option
def rebuild() -> None:
    """Refill a new store from Codat, without telling anybody anything; run it again to go on."""
    with open_store() as container, _interruptible() as stop:
        services = _build_services(container, stop)
        companies = services.rebuild.prepare()
        completed, total = services.rebuild.completed, services.rebuild.completed + len(companies)
        if completed and not wants_json():
            click.echo(f"Going on: {completed} of {total} companies are known already.")
        with click.progressbar(
            services.rebuild.run(companies),
            length=len(companies),
            label="Companies",
            show_pos=True,
            hidden=wants_json() or not sys.stdout.isatty(),
        ) as results:
            for _ in results:
                pass
        problems = [
            {"company_id": failure.company_id, **failure.error.problem()}
            for failure in services.rebuild.failures
            if failure.error is not None
        ]
        wait_until_handled(container)
        counts = container.reader.stats(queries.STATES)
    summary = {
        "companies": total,
        "done": services.rebuild.completed,
        "connections": counts["connections"],
        "problems": problems,
    }
    if wants_json():
        print_json(summary)
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


@contextlib.contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets, so that threads that wait for Codat's rate limit end with the command."""
    stop = threading.Event()

    def interrupt(*_: object) -> None:
        stop.set()
        raise KeyboardInterrupt

    with handling(signal.SIGINT, interrupt):
        yield stop


def _build_services(container: Container, stop: threading.Event) -> wiring.Reconciliation:
    services = wiring.build_reconciliation(container, stop=stop.is_set, sleep=stop.wait, on_wait=_report_wait)
    if services is None:
        raise ProcessorError("CODAT_API_KEY is not set: Codat cannot be asked.")
    return services


def _report_wait(company_id: str, seconds: int) -> None:
    click.echo(
        f"{company_id}  Codat takes no more requests for now (429): going on in {seconds} s; Ctrl-C ends it.",
        err=True,
    )


def wait_until_handled(container: Container) -> None:
    """Wait until the inbox is empty; without a running worker start one for that."""
    now_ms = to_ms(container.clock())
    has_worker = container.redis.zcount(keys.alive("worker"), now_ms - heartbeats.MISSED_AFTER_MS, "+inf")
    with contextlib.ExitStack() as stack:
        if not has_worker and container.inbox.depth():
            url = container.settings.redis_url or ""
            worker = Child(
                name="drain", argv=(sys.executable, "-m", "workers", "drain"), env={"REDIS_URL": url}
            )
            stack.enter_context(Supervisor([worker]))
        deadline = time.monotonic() + MAX_WAIT_S
        while container.inbox.depth():
            if time.monotonic() > deadline:
                click.echo("Not everything is handled yet: look whether workers run.", err=True)
                return
            time.sleep(POLL_S)
