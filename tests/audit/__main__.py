"""``make audit``: bandit on the source, and pip-audit on ``requirements.txt``; 1 if either has a finding.

A package that pip-audit could not look up counts as a finding: without the network nothing was audited.
"""

import json
import linecache
import re
import subprocess
import sys
import tempfile
from typing import Any

from tests.support.house import PACKAGES, ROOT

SKIPPED = {
    "B404": "importing subprocess starts nothing",
    "B603": "processes are started from argument lists of our own, never through a shell",
}
"""Rules of bandit that are not asked, as ruff's counterparts are not; see ``pyproject.toml``."""

SKIPPED_IN_HANDLERS = {"B101": "asserts tell the type checker what the table of the fold guarantees"}


def main() -> int:
    """Run both; they print what they found."""
    findings = [*source_findings(), *dependency_findings()]
    for finding in findings:
        print(finding)
    print(f"{len(findings)} findings" if findings else "bandit and pip-audit found nothing")
    return 1 if findings else 0


def source_findings() -> list[str]:
    """What bandit says about the source, without what a comment beside it explains to ruff's same rule."""
    command = [*("bandit", "--quiet", "--recursive", "--format", "json"), *("--skip", ",".join(SKIPPED))]
    report = _json_of([*command, *PACKAGES])
    if report is None:
        return ["bandit did not run"]
    return [
        f"{row['filename']}:{row['line_number']}: {row['test_id']} {row['issue_text']}"
        for row in report["results"]
        if not is_explained(row)
    ]


def is_explained(row: dict[str, Any]) -> bool:
    """Whether a finding of bandit is known: B311 is ruff's S311."""
    if row["filename"].startswith("handlers/") and row["test_id"] in SKIPPED_IN_HANDLERS:
        return True
    rule = re.compile(rf"# noqa: .*\bS{row['test_id'][1:]}\b")
    return any(rule.search(linecache.getline(row["filename"], number)) for number in row["line_range"])


def dependency_findings() -> list[str]:
    """Known vulnerabilities of the pinned packages, and the packages about which nothing could be learnt."""
    pinned = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(pinned))
        file.flush()
        options = ["--disable-pip", "--no-deps", "--progress-spinner", "off", "--format", "json"]
        report = _json_of(["pip_audit", "--requirement", file.name, *options])
    if report is None:
        return [f"pip-audit could not ask about {len(pinned)} packages: is there a network?"]
    rows = report["dependencies"]
    skipped = [row["name"] for row in rows if "skip_reason" in row]
    findings = [
        f"{row['name']} {row['version']}: {known['id']}, fixed in {', '.join(known['fix_versions']) or '-'}"
        for row in rows
        for known in row.get("vulns", ())
    ]
    if skipped:
        findings.append(
            f"pip-audit learnt nothing about {len(skipped)} of {len(pinned)} packages: {skipped[0]}, …"
        )
    return findings


def _json_of(command: list[str]) -> Any:
    """The report of a tool, ``None`` if it gave none; both exit with 1 for findings."""
    words = [sys.executable, "-m", *command]
    result = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        return json.loads(result.stdout)
    except ValueError:
        print(result.stderr.strip()[-2_000:], file=sys.stderr)
        return None


if __name__ == "__main__":
    sys.exit(main())
