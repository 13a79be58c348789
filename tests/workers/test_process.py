"""A worker process as the supervisor starts it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from redis import Redis

from processor.engine import Engine
from tests.support import messages
from tests.support.service import LIMIT_S


def test_a_redis_that_refuses_the_worker_is_one_line_in_the_log(data_dir: Path) -> None:
    """It was a traceback of forty lines, none of them JSON."""
    with Engine(data_dir) as engine, Redis.from_url(engine.url, socket_timeout=LIMIT_S) as client:
        client.execute_command(
            "ACL", "SETUSER", "half", "on", ">secret", "+ping", "+hello", "+client", "+info"
        )
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "REDIS_URL": engine.url.replace("unix://", "unix://half:secret@"),
            "CODAT_WEBHOOK_SECRETS": messages.SECRET,
            "LOG_LEVEL": "ERROR",
        }
        ended = subprocess.run(
            [sys.executable, "-m", "workers", "drain"],
            env=environ,
            cwd=data_dir,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert ended.returncode == 1
    (line,) = (ended.stdout + ended.stderr).splitlines()
    said = json.loads(line)
    assert said["message"] == "the worker ends, for Redis refused it or was lost at its start"
    assert said["reason"] == "NoPermissionError"
