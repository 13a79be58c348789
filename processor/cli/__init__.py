"""The command ``codat-processor``: one module here for each group of commands."""

from collections.abc import Sequence

import click

from processor.cli import check, demo, inspect, run, subscribers, truth
from processor.errors import ProcessorError

COMMANDS: Sequence[click.Command] = (
    *run.COMMANDS,
    *demo.COMMANDS,
    *check.COMMANDS,
    *inspect.COMMANDS,
    *subscribers.COMMANDS,
    *truth.COMMANDS,
)
"""Every command, in the order in which ``--help`` shows them; a module adds its own to this list."""


class _Commands(click.Group):
    """Says what went wrong in one message, without a traceback, when it was foreseen."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order of the list, not of the alphabet."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a :class:`ProcessorError` becomes its sentence and exit code 1."""
        try:
            return super().invoke(ctx)
        except ProcessorError as error:
            raise click.ClickException(error.detail) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="codat-processor")
def main() -> None:
    """Receives Codat's messages, keeps the state of every connection, and tells who needs to know."""


for _command in COMMANDS:
    main.add_command(_command)
