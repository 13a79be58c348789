"""``companies``: operators list, read and erase companies."""

import sys
from typing import Any

import click

from processor.cli.options import as_json_option, paged, wants_json
from processor.cli.printing import Column, print_fields, print_json, print_page, print_result
from processor.cli.store_access import open_store
from processor.clock import to_iso
from processor.erasure.erase import CompanyEraser
from processor.erasure.residue_scan import erase_and_scan
from processor.resources import queries, serializers
from processor.store import visibility

COMPANY_COLUMNS: tuple[Column, ...] = (
    ("COMPANY", "id"),
    ("MERCHANT", "merchant_id"),
    ("NAME", "name"),
    ("HEARD OF", "first_heard_at"),
    ("DELETED", "deleted_at"),
)
CONSENT_COLUMNS: tuple[Column, ...] = (
    ("CONSENT", "id"),
    ("AT", "at"),
    ("CONNECTION", "connection_id"),
    ("PLATFORM", "platform_name"),
    ("VERSION", "version"),
)
UNKNOWN_COLUMNS: tuple[Column, ...] = (
    ("COMPANY", "company_id"),
    ("CODAT ASKED", "asked_at"),
)
RERUN_HINT = "Something may still have been on its way: run it again in a moment."
FILE_HINT = "Redis did not begin to rewrite its append-only file: it holds the old writes until it does."
IDENTIFIERS = "its id, its connections, its merchant id and its contact"


def _company_id(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("A blank names no company.")
    return value


@click.group()
def companies() -> None:
    """The companies that we know."""


@companies.command("list")
@click.option("--merchant", "merchant_id", metavar="ID", help="Only those of this merchant.")
@paged
def list_companies(**query: Any) -> None:
    """List companies, newest first."""
    with open_store() as container:
        page = queries.companies(container.reader, **query)
    print_page(page, COMPANY_COLUMNS)


@companies.command("unknown")
@as_json_option
def list_unknown() -> None:
    """List companies of messages that Codat says it does not know: nothing is told of them."""
    with open_store() as container:
        rows = visibility.not_shown(container.redis)
    items = [{"company_id": company_id, "asked_at": to_iso(at)} for company_id, at in rows]
    print_page({"items": items}, UNKNOWN_COLUMNS)


@companies.command("read")
@click.argument("company_id", metavar="ID", callback=_company_id)
@as_json_option
def read_company(company_id: str) -> None:
    """Tell Codat to read a company's data now, as where no first sync followed an authorisation."""
    with open_store() as container:
        container.journey.read_again(company_id)
        sync = container.journey.sync(company_id)
    print_result(
        sync, f"Codat was told to read {company_id}; `connections list --company` shows how it goes."
    )


@companies.command("consents")
@click.argument("company_id", metavar="ID", callback=_company_id)
@paged
def list_consents(company_id: str, **query: Any) -> None:
    """List what a company's users agreed to on the pages, newest first; --json has the texts."""
    with open_store() as container:
        queries.company(container.reader, company_id)
        page = container.journey.consents.of_company(company_id, **query)
    print_page(serializers.page(page), CONSENT_COLUMNS)


@companies.command("journey")
@click.argument("company_id", metavar="ID", callback=_company_id)
@as_json_option
def show_journey(company_id: str) -> None:
    """Show how a company's journey stands, and where its button leads back to."""
    with open_store() as container:
        overview = container.journey.overview(company_id)
    if wants_json():
        print_json(overview)
    else:
        print_fields({name: value for name, value in overview.items() if name not in ("id", "connections")})


@companies.command("revoke-links")
@click.argument("company_id", metavar="ID", callback=_company_id)
@as_json_option
def revoke_links(company_id: str) -> None:
    """End all links of a company that were made so far, also those in e-mails; prints a fresh one."""
    with open_store() as container:
        container.journey.links.revoke(company_id)
        company = container.journey.company(company_id)
    print_result(
        {"company_id": company.company_id, "connect_url": company.connect_url},
        f"The links of {company_id} are revoked. A fresh one: {company.connect_url}",
    )


@companies.command("erase")
@click.argument("typed_id", metavar="ID", callback=_company_id)
@click.option("--yes", is_flag=True, help="Do not ask; without a terminal nothing is asked in any case.")
@as_json_option
def erase_company(typed_id: str, *, yes: bool) -> None:
    """Remove a company's data here, keep a tombstone, and prove it by searching the whole store.

    Once more it removes what came since, and proves it again.
    """
    with open_store() as container:
        eraser = CompanyEraser(container.redis)
        company_id = eraser.resolve_id(typed_id)
        records, erased_before = eraser.find_records(company_id), container.reader.erased_at(company_id)
        if not yes and (erased_before is None or any(records.counts.values())):
            _confirm(company_id, records.counts)
        report = erase_and_scan(container.redis, eraser, company_id, clock=container.clock)
        file_rewritten = eraser.rewrite_append_only_file()
        erased_at = container.reader.erased_at(company_id)
    summary = {
        "company_id": company_id,
        "erased_at": erased_at,
        "removed": report.removed.counts,
        "searched_for": len(report.identifiers),
        "searched_keys": report.scan.searched,
        "found": list(report.scan.residue),
        "file_rewritten": file_rewritten,
    }
    if wants_json():
        print_json(summary)
    else:
        if erased_before is not None:
            click.echo(f"{company_id} was erased before, at {erased_before}; what came since:")
        print_fields(report.removed.counts)
        click.echo(
            f"Searched {report.scan.searched} keys for {len(report.identifiers)} traces ({IDENTIFIERS}): "
            + (
                "nothing is left."
                if report.scan.is_clean
                else f"FOUND in {', '.join(report.scan.residue)}. {RERUN_HINT}"
            )
        )
        if not file_rewritten:
            click.echo(FILE_HINT)
    sys.exit(0 if report.scan.is_clean else 1)


def _confirm(company_id: str, counts: dict[str, int]) -> None:
    """Ask for confirmation; raises ``click.Abort`` without it.

    Without a terminal the answer is read from the input, and an empty input confirms: a program that
    passes the id means it.
    """
    question = "All of this is removed for good. Go on?"
    if sys.stdin.isatty():
        click.echo(company_id, err=True)
        for name, count in counts.items():
            click.echo(f"  {name}  {count}", err=True)
        click.confirm(question, abort=True, err=True)
    elif sys.stdin.readline().strip().lower() not in ("", "y", "yes"):
        raise click.Abort
