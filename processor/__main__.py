"""The entry point of the script ``codat-processor``; it imports the command line where Ctrl-C is caught."""

import signal
import sys
from importlib import import_module


def main() -> None:
    """Run the command line; Ctrl-C at any moment ends it without a traceback."""
    try:
        import_module("processor.cli").main(prog_name="codat-processor")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
