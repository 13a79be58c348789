"""``make mutants``: revert each protection in a copy, and demand that its check fails.

Writes ``docs/mutants.md`` with ``--write``. Names of mutants as arguments: only those.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.table import MUTANTS, Mutant
from tests.support.house import ROOT

PAGE = ROOT / "docs" / "mutants.md"
FOLDERS = ("handlers", "processor", "workers", "tests", "docs", "benchmarks")
FILES = ("pyproject.toml", "Makefile", "README.md", ".env.example", "Procfile", "requirements.txt")

FAILED = 1
"""Exit code of pytest if tests failed; others mean that it could not run them."""

HEAD = """# Reverted protections

Written by `make mutants`. Each protection is reverted in a copy of the source, in one place, and the test
beside it must fail. A protection whose reversal no test notices is a promise that nothing keeps.

| protection | reverted in | noticed by |
|---|---|---|
"""


def main() -> int:
    """Try the mutants; 0 if every one was caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these mutants")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - {mutant.name for mutant in MUTANTS}
    if unknown:
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}")
    chosen = [mutant for mutant in MUTANTS if not arguments.names or mutant.name in arguments.names]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Path(folder)
        _copy_source(copy)
        checks = sorted({mutant.check for mutant in chosen})
        print(f"{len(checks)} checks without a mutant", end=" ", flush=True)
        whole = _pytest(copy, checks)
        print("pass" if whole.returncode == 0 else "fail")
        if whole.returncode != 0:
            print(whole.stdout[-4_000:])
            return 1
        survivors = [mutant for mutant in chosen if not _is_caught(copy, mutant)]
    if survivors:
        print(f"{len(survivors)} of {len(chosen)} survive: {', '.join(mutant.name for mutant in survivors)}")
        return 1
    print(f"all {len(chosen)} are caught")
    if arguments.write and not arguments.names:
        PAGE.write_text(page(), encoding="utf-8")
    return 0


def page() -> str:
    """The page of the documentation."""
    rows = []
    for mutant in MUTANTS:
        path, _, name = mutant.check.partition("::")
        rows.append(f"| {mutant.protection} | `{mutant.path}` | `{name}` in `{path}` |")
    return HEAD + "\n".join(rows) + "\n"


def _copy_source(copy: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    for name in FILES:
        shutil.copy(ROOT / name, copy / name)


def _is_caught(copy: Path, mutant: Mutant) -> bool:
    """Whether the check fails on the mutant, which is taken back afterwards."""
    path, began = copy / mutant.path, time.monotonic()
    text = path.read_text(encoding="utf-8")
    path.write_text(mutated(mutant, text), encoding="utf-8")
    try:
        result = _pytest(copy, [mutant.check])
    finally:
        path.write_text(text, encoding="utf-8")
    verdict = {0: "SURVIVES", FAILED: "caught"}.get(result.returncode, "NOT RUN")
    print(f"{verdict:8} {mutant.name:24} {time.monotonic() - began:5.1f} s", flush=True)
    if verdict == "NOT RUN":
        print(result.stdout[-2_000:])
    return result.returncode == FAILED


def mutated(mutant: Mutant, text: str) -> str:
    """The text with the reversal. Raises ``ValueError`` unless ``old`` is in it exactly once."""
    if text.count(mutant.old) != 1:
        raise ValueError(
            f"{mutant.name}: {mutant.path} has this {text.count(mutant.old)} times: {mutant.old}"
        )
    return text.replace(mutant.old, mutant.new)


def _pytest(copy: Path, checks: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-x", "-p", "no:cacheprovider", *checks]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
