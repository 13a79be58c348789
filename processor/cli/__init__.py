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

COMMANDS: Mapping[str, str] = {
    "run": "run",
    "web": "run",
    "worker": "run",
    "clock": "run",
    "demo": "demo",
    "check": "check",
    "connections": "connections",
    "events": "events",
    "notifications": "notifications",
    "dead-letters": "dead_letters",
    "subscribers": "subscribers",
    "reconcile": "reconciliation",
    "rebuild": "reconciliation",
    "webhooks": "webhooks",
    "companies": "companies",
    "funnel": "funnel",
    "migration": "migration",
    "conditions": "conditions",
    "wake": "wake",
    "store": "store",
    "operators": "operators",
    "api-keys": "api_keys",
    "audit": "audit",
    "encryption": "encryption",
}
"""The module of each command, in the order of ``--help``; the command is a function of the same name."""

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
        module = import_module(f"processor.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

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
