"""The command ``codat-processor``: one module for each group of commands, imported when it is called."""

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Mapping
from importlib import import_module

import click

from processor.errors import ProcessorError

COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("run", "The whole service: web, workers and clock."),
    "web": ("run", "The web processes: Codat's messages, the API, the pages."),
    "worker": ("run", "The worker processes: what follows from messages."),
    "clock": ("run", "The clock: wakes what sleeps too long."),
    "demo": ("demo", "The whole service with a simulated Codat."),
    "check": ("check", "Validate settings, Redis, Codat key and clock."),
    "connections": ("connections", "Connections, their states and what happened to them."),
    "events": ("events", "The messages, and what became of them."),
    "notifications": ("notifications", "Notifications that were decided."),
    "dead-letters": ("dead_letters", "Messages whose handling failed to the last."),
    "subscribers": ("subscribers", "Who is told by signed webhooks."),
    "reconcile": ("reconciliation", "Ask Codat, print what differed, repair."),
    "rebuild": ("reconciliation", "Refill a new store from Codat; nobody is told."),
    "webhooks": ("webhooks", "Our webhook consumers at Codat, and their secrets."),
    "companies": ("companies", "The companies that we know."),
    "funnel": ("funnel", "Count how far merchants came."),
    "migration": ("migration", "Compare legacy alerts with current messages."),
    "conditions": ("conditions", "What is wrong now, and what alerts about it."),
    "wake": ("wake", "Request a run of every cell, and of deliveries."),
    "store": ("store", "Move the store: into a file, and from a file."),
    "operators": ("operators", "Who may use the operators' pages."),
    "api-keys": ("api_keys", "Who may call the API."),
    "audit": ("audit", "The audit trail: who did what, and when."),
    "encryption": ("encryption", "Encryption of subscribers' secrets and companies' contacts."),
}
"""The module of each command, a function of the same name, and its line of ``--help``; in the order there."""

INTERRUPTED = 128 + signal.SIGINT
BROKEN_PIPE = 128 + signal.SIGPIPE
"""Exit codes that a shell shows for tools that end by these signals."""

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class _Commands(click.Group):
    """Imports a command when it is called, and turns expected errors into one sentence and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """The command; ``None`` if there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"processor.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """A line for each command, without importing any: all of them take most of a second."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a :class:`ProcessorError` becomes its sentence and exit code 1."""
        try:
            return super().invoke(ctx)
        except ProcessorError as error:
            raise click.ClickException(error.detail) from error
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            _discard_output()
            sys.exit(BROKEN_PIPE)
        except OSError as error:
            if error.errno not in UNWRITABLE:
                raise
            _discard_output()
            raise click.ClickException(f"Something could not be written: {error.strerror}.") from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="codat-processor")
def main() -> None:
    """Receives Codat's messages, keeps the state of every connection, and tells who needs to know."""


def _discard_output() -> None:
    """Send the rest of the output to nowhere: Python would try to write it at exit and print an error."""
    with contextlib.suppress(OSError, ValueError):
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, sys.stdout.fileno())
        os.close(devnull)
