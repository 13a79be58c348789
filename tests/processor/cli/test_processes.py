"""The commands as processes of their own: the embedded engine, and pipes that break."""

import json
import os
import subprocess
import sys
from pathlib import Path

from processor.engine import Engine
from tests.processor.web.v1.filling import Filling

ROOT = Path(__file__).parents[3]


def environ(filling: Filling, **more: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "DATA_DIR")}
    return own | {"PYTHONPATH": str(ROOT)} | filling.environ | more


def test_without_redis_url_a_command_joins_the_embedded_engine(data_dir: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "processor.cli", "connections", "list", "--json"]
    with Engine(data_dir) as engine:
        filling = Filling(engine.url)
        env = environ(filling, REDIS_URL="", DATA_DIR=str(data_dir))
        filling.make_ready()
        running = subprocess.run(words, env=env, cwd=tmp_path, capture_output=True, check=True, timeout=60)
        assert filling.container.redis.ping()
        filling.close()
    alone = subprocess.run(words, env=env, cwd=tmp_path, capture_output=True, check=True, timeout=60)
    assert [item["id"] for item in json.loads(running.stdout)["items"]] == ["xero"]
    assert alone.stdout == running.stdout
    assert alone.stderr == b""


def test_a_reader_that_goes_away_is_no_traceback(redis_url: str, tmp_path: Path) -> None:
    filling = Filling(redis_url)
    for number in range(200):
        filling.tell("connection.created", f"n{number}")
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as broken:
        result = subprocess.run(
            [sys.executable, "-m", "processor.cli", "events", "list", "--limit", "200"],
            env=environ(filling),
            cwd=tmp_path,
            stdout=broken,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    filling.close()
    assert result.stderr == b""
