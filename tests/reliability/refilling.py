"""Everything in the engine is deleted under a running service, and filled again from a simulated Codat."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.receivers import receiver
from processor.delivery.subscribers import Subscribers
from processor.simulator import (
    STORIES,
    ProductClient,
    SimulatorClient,
    SimulatorConfig,
    SimulatorServer,
    play,
)
from tests.reliability.outside import API_KEY, Client, Faults
from tests.reliability.report import Chapter
from tests.support import messages
from tests.support.ports import own_port
from tests.support.service import LIMIT_S, ROOT, Service, until
from tests.support.serving import ENVIRON

BEFORE = ("happy", "cancelled", "revoked-and-back")
AFTER = "happy"


def chapter() -> Chapter:
    """FLUSHALL, then ``codat-processor rebuild``: the same states, and nobody is told of them again."""
    port, faults = own_port(), Faults()
    settings = {
        "API_KEYS": API_KEY,
        "CODAT_API_KEY": API_KEY,
        "CODAT_API_URL": f"http://127.0.0.1:{port}",
        "ALLOW_PRIVATE_SUBSCRIBERS": "true",
        "LOG_LEVEL": "WARNING",
    }
    with tempfile.TemporaryDirectory(prefix="codat-") as folder:
        service = Service(Path(folder), **settings)
        config = SimulatorConfig(
            port=port,
            api_key=API_KEY,
            webhook_url=f"{service.url}/webhooks/codat",
            webhook_secret=messages.SECRET,
            alert_authorization=messages.AUTHORIZATION,
        )
        with (
            SimulatorServer(config) as codat,
            receiver() as subscriber,
            service,
            service.redis() as redis,
            SimulatorClient(codat.url) as simulator,
            ProductClient(service.url, API_KEY) as product,
        ):

            def told_wrong(name: str) -> bool:
                story = next(story for story in STORIES if story.name == name)
                return not play(story, simulator, product, lambda _: None, LIMIT_S, settle_s=LIMIT_S)

            client = Client(service)
            faults["stories not as expected"] = sum(map(told_wrong, BEFORE))
            states = _states(client)
            redis.flushall()
            Subscribers(redis, allow_private=True).add(url=subscriber.url)
            _rebuild(Path(folder), settings)
            until(lambda: not client.items("/events", status="pending"))
            after = _states(client)
            faults["connections that are not as before"] = sum(
                after.get(id_) != state for id_, state in states.items()
            )
            faults["notifications told again"] = len(client.items("/notifications")) + len(
                subscriber.arrivals().times
            )
            faults["stories not as expected"] += told_wrong(AFTER)
            client.close()
    body = [
        f"After FLUSHALL `codat-processor rebuild` brought {len(states)} connections back from a simulated "
        "Codat, in the same state and without telling anybody; a connection that was made afterwards was "
        "told as usual.",
    ]
    return Chapter("FLUSHALL, then rebuild", faults, body)


def _states(client: Client) -> dict[str, str]:
    return {row["id"]: row["state"] for row in client.items("/connections")}


def _rebuild(folder: Path, settings: dict[str, str]) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    env = {**kept, **ENVIRON, **settings, "PYTHONPATH": str(ROOT), "DATA_DIR": str(folder)}
    command = [sys.executable, "-m", "processor", "rebuild"]
    subprocess.run(command, cwd=folder, env=env, check=True, timeout=LIMIT_S)
