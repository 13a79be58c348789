"""``reconcile``, ``rebuild``, ``webhooks``, ``companies``: operators compare, refill, register and erase."""

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from processor import lookups
from processor.bootstrap import Container
from processor.cli.inspect import as_json_option, paged
from processor.cli.opened import opened
from processor.cli.printing import Column, print_fields, print_json, print_page, print_table
from processor.codat.answers import WebhookConsumer
from processor.codat.client import CodatClient
from processor.errors import NotFound, ProcessorError
from processor.processes import Child, Supervisor
from processor.store import health, keys
from processor.times import to_ms
from processor.truth import assembly, consumers
from processor.truth.proof import prove
from processor.truth.reconcile import Outcome

HANDLED_WITHIN_S = 600.0
LOOK_EVERY_S = 0.1

DIFFERENCE_COLUMNS: tuple[Column, ...] = (
    ("COMPANY", lambda item: item["company_id"]),
    ("CONNECTION", lambda item: item["connection_id"]),
    ("WE KNEW", lambda item: item["before"]),
    ("CODAT SHOWS", lambda item: item["after"]),
    ("WHY", lambda item: item["reason"]),
)
CONSUMER_COLUMNS: tuple[Column, ...] = (
    ("CONSUMER", lambda item: item["id"]),
    ("ENABLED", lambda item: item["enabled"]),
    ("COMPLETE", lambda item: item["complete"]),
    ("URL", lambda item: item["url"]),
    ("EVENT TYPES", lambda item: item["event_types"] or "all"),
)
COMPANY_COLUMNS: tuple[Column, ...] = (
    ("COMPANY", lambda item: item["id"]),
    ("MERCHANT", lambda item: item["merchant_id"]),
    ("NAME", lambda item: item["name"]),
    ("HEARD OF", lambda item: item["first_heard_at"]),
    ("DELETED", lambda item: item["deleted_at"]),
)


@click.command()
@click.option("--company", "company_id", metavar="ID", help="Only this company.")
@click.option("--dry-run", is_flag=True, help="Print what differs and change nothing.")
@as_json_option
def reconcile(company_id: str | None, *, dry_run: bool, as_json: bool) -> None:
    """Ask Codat, print what differed, repair."""
    with opened() as own:
        parts = _polling(own)
        if company_id is not None:
            outcomes: Iterator[Outcome] = iter([parts.reconcile.one(company_id, dry_run=dry_run)])
        else:
            outcomes = parts.reconcile.all(dry_run=dry_run)
        companies, found, problems = 0, [], []
        for outcome in outcomes:
            companies += 1
            if outcome.problem is not None:
                problems.append({"company_id": outcome.company_id, **outcome.problem.problem()})
            elif outcome.look is not None:
                found += [dataclasses.asdict(one) for one in outcome.look.differences]
        if company_id is not None and not found and not problems and _is_unknown(own, company_id):
            raise NotFound("Neither Codat nor we know this company, or it was erased.")
        if not dry_run:
            _handle(own)
    _report(companies, found, problems, dry_run=dry_run, as_json=as_json)
    sys.exit(1 if problems else 0)


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
    """Refill an empty store from Codat, without telling anybody anything; run it again to go on."""
    with opened() as own:
        parts = _polling(own)
        companies = parts.rebuild.prepare()
        before, total = parts.rebuild.done, parts.rebuild.done + len(companies)
        with contextlib.ExitStack() as stack:
            steps: Iterator[Outcome] = parts.rebuild.run(companies)
            if not as_json:
                if before:
                    click.echo(f"Going on: {before} of {total} companies were done before.")
                hidden = not sys.stdout.isatty()
                bar = click.progressbar(
                    steps, length=len(companies), label="Companies", show_pos=True, hidden=hidden
                )
                steps = iter(stack.enter_context(bar))
            for _ in steps:
                pass
        problems = [
            {"company_id": one.company_id, **one.problem.problem()}
            for one in parts.rebuild.problems
            if one.problem is not None
        ]
        _handle(own)
        counts = own.reader.stats(lookups.STATES)
    said = {
        "companies": total,
        "done": parts.rebuild.done,
        "connections": counts["connections"],
        "problems": problems,
    }
    if as_json:
        print_json(said)
    else:
        for problem in problems:
            click.echo(f"{problem['company_id']}  not read: {problem['detail']}", err=True)
        click.echo(f"{parts.rebuild.done} of {total} companies are back; nobody was told anything.")
        print_fields({state: count for state, count in counts["connections"].items() if count})
        if problems:
            click.echo("Run it again to go on.")
    sys.exit(1 if problems else 0)


@click.group()
def webhooks() -> None:
    """Our webhook consumers at Codat."""


@webhooks.command("register")
@click.option("--url", required=True, metavar="URL", help="Our address, ending with /webhooks/codat.")
@as_json_option
def register_webhook(url: str, *, as_json: bool) -> None:
    """Create the consumer for the event types that we handle; harmless when it is there already."""
    with opened() as own:
        found = consumers.register(_client(own), url)
    if as_json:
        print_json({**_consumer(found.consumer), "made": found.made})
        return
    print_fields(_consumer(found.consumer))
    if found.made:
        click.echo("\nNow copy its signing secret from Codat's portal into CODAT_WEBHOOK_SECRETS.")
    else:
        click.echo("\nIt was there already; nothing was changed.")
    if not url.rstrip("/").endswith(consumers.ADDRESS):
        click.echo(f"This service receives messages at {consumers.ADDRESS}: is the address right?", err=True)


@webhooks.command("list")
@as_json_option
def list_webhooks(*, as_json: bool) -> None:
    """List all consumers that Codat has."""
    with opened() as own:
        items = [_consumer(one) for one in _client(own).list_webhooks()]
    if as_json:
        print_json({"items": items, "next_cursor": None})
    else:
        print_table(items, CONSUMER_COLUMNS)


@webhooks.command("remove")
@click.argument("named", metavar="ID|URL...", nargs=-1, required=True)
@as_json_option
def remove_webhooks(named: tuple[str, ...], *, as_json: bool) -> None:
    """Remove consumers by their id or address."""
    with opened() as own:
        removed = [_consumer(one) for one in consumers.remove(_client(own), named)]
    if as_json:
        print_json({"items": removed, "next_cursor": None})
    else:
        for one in removed:
            click.echo(f"{one['id']}  removed ({one['url']})")


@click.group()
def companies() -> None:
    """The companies that we know."""


@companies.command("list")
@click.option("--merchant", "merchant_id", metavar="ID", help="Only that of this merchant.")
@paged
def list_companies(as_json: bool, **query: Any) -> None:
    """List companies, newest first."""
    with opened() as own:
        page = lookups.companies(own.reader, **query)
    print_page(page, COMPANY_COLUMNS, as_json=as_json)


@companies.command("erase")
@click.argument("company_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json_option
def erase_company(company_id: str, *, yes: bool, as_json: bool) -> None:
    """Remove a company's data here, keep a tombstone, and prove it by searching the whole store."""
    with opened() as own:
        erasure = assembly.erasure(own)
        before = erasure.kept(company_id)
        if not yes and not as_json:
            print_fields(before.counts)
            click.confirm("All of this is removed for good. Go on?", abort=True)
        kept = erasure.erase(company_id, own.clock())
        again = erasure.erase(company_id, own.clock())  # what came in between is dropped from now on
        traces = tuple(dict.fromkeys([*before.traces, *kept.traces, *again.traces]))
        proof = prove(own.redis, traces)
        erasure.forget_on_disk()
    said = {
        "company_id": company_id,
        "removed": kept.counts,
        "searched_for": len(traces),
        "searched_keys": proof.searched,
        "found": list(proof.found),
    }
    if as_json:
        print_json(said)
    else:
        print_fields(kept.counts)
        words = "its id, its connections, its merchant id and its contact"
        click.echo(
            f"Searched {proof.searched} keys for {len(traces)} traces ({words}): "
            + ("nothing is left." if proof.holds else f"FOUND in {', '.join(proof.found)}")
        )
    sys.exit(0 if proof.holds else 1)


COMMANDS: tuple[click.Command, ...] = (reconcile, rebuild, webhooks, companies)


def _polling(own: Container) -> assembly.Polling:
    parts = assembly.polling(own)
    if parts is None:
        raise ProcessorError("CODAT_API_KEY is not set: Codat cannot be asked.")
    return parts


def _client(own: Container) -> CodatClient:
    if own.codat is None:
        raise ProcessorError("CODAT_API_KEY is not set: Codat cannot be asked.")
    return own.codat


def _consumer(one: WebhookConsumer) -> dict[str, Any]:
    return {
        "id": one.id,
        "url": one.url,
        "enabled": not one.disabled,
        "complete": consumers.is_complete(one),
        "event_types": list(one.event_types),
        "company_tags": list(one.company_tags),
    }


def _is_unknown(own: Container, company_id: str) -> bool:
    return not own.reader.company(company_id)


def _handle(own: Container) -> None:
    """Wait until the findings are handled: by the workers, or where there are none by one of our own."""
    now_ms = to_ms(own.clock())
    is_served = own.redis.zcount(keys.alive("worker"), now_ms - health.MISSED_AFTER_MS, "+inf")
    with contextlib.ExitStack() as stack:
        if not is_served and own.inbox.depth():
            url = own.settings.redis_url or ""
            worker = Child(
                name="drain", argv=(sys.executable, "-m", "workers", "drain"), env={"REDIS_URL": url}
            )
            stack.enter_context(Supervisor([worker]))
        if not _wait(lambda: not own.inbox.depth()):
            click.echo("Not everything is handled yet: look whether workers run.", err=True)


def _wait(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + HANDLED_WITHIN_S
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(LOOK_EVERY_S)
    return True
