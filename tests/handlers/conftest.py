"""Makes the support modules of these tests importable, and names the seed of a run."""

import os
import secrets
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "support"))

SEED_VARIABLE = "HISTORIES_SEED"
os.environ.setdefault(SEED_VARIABLE, str(secrets.randbits(32)))


def pytest_report_header() -> str:
    """Print the seed of the sampled histories, so that a run can be repeated."""
    return f"{SEED_VARIABLE}={os.environ[SEED_VARIABLE]}"
