"""``store``: moves the whole store into a file, and from a file into another store."""

from pathlib import Path

import click

from processor.cli.store_access import open_store
from processor.container import Container
from processor.errors import Conflict, ProcessorError
from processor.store import heartbeats
from processor.store.archive import ArchiveUnreadable, read_key
from processor.store.transfer import export_store, import_store

FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
KEY = click.option(
    "--key-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File with the key that encrypts: 32 bytes as URL-safe base64.",
)


@click.group()
def store() -> None:
    """Move the store: into a file, and from a file into an empty store of any kind."""


@store.command("export")
@FILE
@KEY
@click.option("--running", is_flag=True, help="Export while the service runs: changes are in it in part.")
def export_file(*, file: Path, key_file: Path | None, running: bool) -> None:
    """Write the whole store into FILE. An interrupted export goes on from FILE.part.

    The file has everything but RQ's queue, which fills itself again: secrets too, so use a key.
    """
    with open_store() as container:
        if not running:
            _require_rest(container)
        try:
            total = export_store(
                container.redis, file, cells=container.settings.cells, key=_key(key_file), progress=_report
            )
        except OSError as error:
            raise ProcessorError(f"The file cannot be written: {error.strerror}.") from error
    click.echo(f"{total:,} records were exported.")


@store.command("import")
@FILE
@KEY
@click.option("--replace", is_flag=True, help="Delete what the store has.")
def import_file(*, file: Path, key_file: Path | None, replace: bool) -> None:
    """Write FILE into an empty store with the same CELLS. If it is interrupted, repeat it."""
    with open_store(to_import=True) as container:
        _require_rest(container)
        try:
            total = import_store(
                container.redis,
                file,
                cells=container.settings.cells,
                key=_key(key_file),
                replace=replace,
                progress=_report,
            )
        except ArchiveUnreadable as error:
            raise ProcessorError(str(error)) from error
        except OSError as error:
            raise ProcessorError(f"The file cannot be read: {error.strerror}.") from error
    click.echo(f"{total:,} records were imported.")


def _require_rest(container: Container) -> None:
    """Raise :class:`Conflict` while processes of the service use the store."""
    if any(heartbeats.live_processes(container.redis).values()):
        raise Conflict("The service runs: stop it first, and wait ten seconds.")


def _key(path: Path | None) -> bytes | None:
    try:
        return None if path is None else read_key(path.read_text("utf-8"))
    except (ArchiveUnreadable, UnicodeDecodeError) as error:
        raise ProcessorError(str(error)) from error


def _report(total: int) -> None:
    click.echo(f"{total:,} records", err=True)
