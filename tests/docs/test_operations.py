"""The commands in docs/operations.md do what the page says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis

from processor.errors import EngineFailed
from processor.runtime.embedded_engine import Engine

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"
DAMAGED = re.compile(r"Bad file format reading the append only file (\S+):")


def test_a_damaged_append_only_file_is_repaired_as_the_document_says(data_dir: Path) -> None:
    with Engine(data_dir) as engine, Redis.from_url(engine.url) as client:
        for number in range(500):
            client.set(f"key-{number}", "x" * 50)
    (log,) = (data_dir / "engine" / "appendonlydir").glob("*.incr.aof")
    content = bytearray(log.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(200)
    log.write_bytes(content)

    with pytest.raises(EngineFailed, match="ended at its start"):
        Engine(data_dir).start()
    (damaged,) = DAMAGED.findall((data_dir / "engine" / "engine.log").read_text())
    assert damaged == log.name
    (block,) = re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    script = block.replace(".venv/bin/python", sys.executable).replace("var/engine", "engine")
    repair = script.replace("FILE", damaged)
    subprocess.run(
        ["/bin/sh", "-ec", repair], cwd=data_dir, input=b"y\n", check=True, capture_output=True, timeout=60
    )

    with Engine(data_dir) as engine, Redis.from_url(engine.url) as client:
        assert 200 < client.dbsize() < 300
