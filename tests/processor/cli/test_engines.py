"""Commands, ``/readyz``, ``/ops``, erasing and the rebuild on a primary that took over, and on a cluster."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from processor.cli import main
from processor.simulator import SimulatorConfig, SimulatorServer
from processor.store import keys
from processor.store.client import connect
from processor.store.cluster import ClusterClient
from tests.processor.cli.test_reconciliation import shop
from tests.processor.web.ops.operating import PASSWORD, Operator
from tests.processor.web.v1.filling import Filling
from tests.support.engines import EngineGroup, cluster_engines, kill_primary, own_engine, watched_engines
from tests.support.messages import SECRET
from tests.support.service import until

pytestmark = pytest.mark.timeout(600)

LISTS = ("connections", "companies", "events", "notifications")


@contextlib.contextmanager
def sentinel(folder: Path) -> Iterator[tuple[EngineGroup, dict[str, str]]]:
    """A primary with a replica behind a Sentinel."""
    with watched_engines(folder, replicas=1, down_after_ms=1500) as group:
        yield group, {}


@contextlib.contextmanager
def three_primaries(folder: Path) -> Iterator[tuple[EngineGroup, dict[str, str]]]:
    """A cluster with a replica for each primary, and a server for RQ."""
    with (
        cluster_engines(folder, primaries=3, replicas=1) as group,
        own_engine(folder / "queue") as queue_url,
    ):
        yield group, {"QUEUE_REDIS_URL": queue_url}


@pytest.mark.parametrize("engines", [sentinel, three_primaries])
def test_operators_work_on_after_a_failover(
    engines: Callable[[Path], contextlib.AbstractContextManager[tuple[EngineGroup, dict[str, str]]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    own_logging: None,
) -> None:
    del own_logging
    monkeypatch.chdir(tmp_path)
    with (
        SimulatorServer(SimulatorConfig(auto_sync=False)) as codat,
        engines(tmp_path / "engines") as (group, more),
        contextlib.closing(connect(group.url, timeout_s=5)) as client,
    ):
        settings = {
            **more,
            "OPERATOR_PASSWORD": PASSWORD,
            "CODAT_API_KEY": codat.config.api_key,
            "CODAT_API_URL": codat.url,
            "CODAT_WEBHOOK_SECRETS": SECRET,
        }
        filling = Filling(group.url, **settings)

        def run(*words: str) -> str:
            result = CliRunner(env=filling.environ).invoke(main, words, prog_name="codat-processor")
            assert result.exit_code == 0, result.output or repr(result.exc_info)
            return result.stdout

        filling.make_ready(company="c1")
        operator = Operator(filling)
        mark = f"{keys.cursor(keys.cell_of('c1'))}-mark"
        node = client.node_of(mark) if isinstance(client, ClusterClient) else client
        with node.pipeline(transaction=False) as pipe:
            pipe.set(mark, 1)
            pipe.execute_command("WAIT", 1, 60_000)
            assert pipe.execute()[-1] == 1
        kill_primary(node)
        until(lambda: operator.http.get("/readyz").status_code == 200)

        assert all(json.loads(run(name, "list", "--json"))["items"] for name in LISTS)
        assert "xero" in operator.read("/ops/connections")
        filling.make_ready("stripe", company="c2")
        assert "c2" in operator.read("/ops/connections/stripe")
        run("wake")
        run("companies", "erase", "c1", "--yes", "--json")
        assert [row["id"] for row in json.loads(run("connections", "list", "--json"))["items"]] == ["stripe"]
        client.flushall()
        _, connection = shop(codat, "Bakery", "authorize", "complete-sync")
        run("rebuild")
        (row,) = json.loads(run("connections", "list", "--json"))["items"]
        assert (row["id"], row["state"]) == (connection, "ready")
        filling.close()
