"""``python -m processor.cli``: the command ``codat-processor`` without its script."""

from processor.cli import main

main(prog_name="codat-processor")
