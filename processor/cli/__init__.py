"""The command ``codat-processor``: one module here for each group of commands, loaded when it is needed."""

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Mapping, Sequence
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
    "connections": "reconciliation",
    "events": "events",
    "notifications": "subscribers",
    "dead-letters": "subscribers",
    "subscribers": "subscribers",
    "reconcile": "reconciliation",
    "rebuild": "reconciliation",
    "webhooks": "webhooks",
    "companies": "companies",
}
"""The module of each command, in the order in which ``--help`` shows them; a module lists its own in
``COMMANDS``. Of a group to which several modules add, it is the one that adds last."""

INTERRUPTED = 128 + signal.SIGINT
NOBODY_READS = 128 + signal.SIGPIPE
"""Exit codes, as a shell shows them for tools that end by these signals."""

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class _Commands(click.Group):
    """Loads a command when it is called, and ends with one sentence, or none, where that was foreseen."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order of the list, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """The command; ``None`` if there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        found: Sequence[click.Command] = import_module(f"processor.cli.{COMMANDS[cmd_name]}").COMMANDS
        return next(command for command in found if command.name == cmd_name)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a :class:`ProcessorError` becomes its sentence and exit code 1."""
        try:
            return super().invoke(ctx)
        except ProcessorError as error:
            raise click.ClickException(error.detail) from error
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            _write_no_more()
            sys.exit(NOBODY_READS)
        except OSError as error:
            if error.errno not in UNWRITABLE:
                raise
            _write_no_more()
            raise click.ClickException(f"Something could not be written: {error.strerror}.") from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="codat-processor")
def main() -> None:
    """Receives Codat's messages, keeps the state of every connection, and tells who needs to know."""


def _write_no_more() -> None:
    """Let what is left of the output vanish: Python would try again, and complain, when it ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
