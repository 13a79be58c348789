"""docs/journey.md is run from top to bottom against the demonstration, line by line."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attack.route_rules import RULES
from tests.support import preloaded
from tests.support.ports import own_port
from tests.support.service import until

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = ROOT / "docs" / "journey.md"
BASH = shutil.which("bash")
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
EXPECTED = re.compile(r"curl .*#\s(\d{3})$")
LIMIT_S = 300
CALL = re.compile(r'curl (.*?)"\$(V1/[^"?]+)[^"]*"( -d )?')
NAMED = re.compile(r"\$\w+|(?<=products/)\w+|(?<=people/)\w+")
JOURNEY = re.compile(r"/v1/(?:companies|connections|integrations)(?:/|$)")

pytestmark = [
    pytest.mark.skipif(not (shutil.which("curl") and BASH), reason="curl or bash is missing"),
    pytest.mark.timeout(500),
]

PRELUDE = """
set -u -o pipefail
curl() {
    case "$*" in
        *-s\\ *) command curl "$@" ;;
        *) command curl -sS --max-time 60 -w '%{stderr}STATUS %{http_code}\\n' "$@" ;;
    esac
}
nobody_asks() { until curl -s -H "$KEY" "$V1/stats" | grep -q '"questions":0[,}]'; do sleep 0.2; done; }
"""
FAULT = re.compile(r"^(?=codat faults )", re.MULTILINE)
"""Where Codat is to fail for us: a worker that asks Codat in the background would meet the fault instead."""


def blocks() -> list[str]:
    return BLOCK.findall(DOCUMENT.read_text(encoding="utf-8"))


@pytest.fixture
def demo(data_dir: Path, redis_url: str) -> Iterator[tuple[int, int]]:
    """The running demonstration: the ports of the service and of the simulated Codat.

    Its Redis is that of the tests, for which even the web waits as long as it takes.
    """
    ours, codat = own_port(), own_port()
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environ |= {"PORT": str(ours), "DATA_DIR": str(data_dir), "API_KEYS": "demo", "PYTHONPATH": str(ROOT)}
    environ["REDIS_URL"] = redis_url
    command, log = ["processor", "demo", "--simulator-port", str(codat)], data_dir / "log"
    with log.open("wb") as output:
        process = preloaded.start(command, env=environ, cwd=data_dir, output=output)
    try:
        until(lambda: "Ctrl-C stops everything" in log.read_text())
        yield ours, codat
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def test_every_line_of_the_document_answers_as_it_says(demo: tuple[int, int], tmp_path: Path) -> None:
    ours, codat = demo
    lines = "\n".join(blocks()).splitlines()
    calls = [line for line in lines if EXPECTED.search(line)]
    assert len(calls) > 30
    assert [line for line in lines if re.match(r"(\w+=\$\()?curl", line) and line not in calls] == []
    text = FAULT.sub("nobody_asks\n", "\n".join(lines)).replace("127.0.0.1:8000", f"127.0.0.1:{ours}")
    script = tmp_path / "journey.sh"
    script.write_text(PRELUDE + text.replace("127.0.0.1:8001", f"127.0.0.1:{codat}"), encoding="utf-8")
    done = subprocess.run(
        [BASH or "", str(script)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    statuses = re.findall(r"^STATUS (\d{3})$", done.stderr, re.MULTILINE)
    expected = [EXPECTED.search(line).group(1) for line in calls]
    assert list(zip(calls, statuses, strict=False)) == list(zip(calls, expected, strict=True)), done.stderr
    assert re.sub(r"^STATUS \d{3}\n", "", done.stderr, flags=re.MULTILINE) == ""


def test_the_document_has_a_line_for_every_call_of_the_journey() -> None:
    routes = {
        (method, re.sub(r"<.+?>", "ID", path))
        for rules in RULES.values()
        for method, path in (line.split() for line in rules.split("\n") if line.strip())
        if JOURNEY.match(path)
    }
    assert len(routes) > 25
    calls = set()
    for options, path, body in CALL.findall("\n".join(blocks())):
        method = re.search(r"-X (\w+)", options)
        path = NAMED.sub("ID", path.replace("V1", "/v1"))
        calls.add((method[1] if method else "POST" if body else "GET", path))
    assert routes - calls == set()
    assert "/return?" in "".join(blocks())
