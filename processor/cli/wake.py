"""``wake``: workers look for work now."""

import click

from processor.cli.options import as_json_option
from processor.cli.printing import print_result
from processor.cli.store_access import open_store
from processor.store import keys


@click.command()
@as_json_option
def wake() -> None:
    """Request a run of every cell, and of deliveries, questions and polls; harmless where nothing waits.

    The clock does this by itself twice a second for what waits. It helps if no clock runs.
    """
    with open_store() as container:
        container.waker.wake_all()
    print_result({"cells": len(keys.cells())}, "The workers were asked to look for work.")
