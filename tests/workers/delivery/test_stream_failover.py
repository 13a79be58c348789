"""The node that has the stream fails over, and that of the cell does not."""

from pathlib import Path

from redis import Redis

from processor.store import keys
from processor.store.client import connect
from processor.store.cluster import ClusterClient
from tests.support.engines import cluster_engines, replicas_of
from tests.support.service import until
from tests.support.workbench import company_in
from tests.workers.delivery.post import Post


def test_what_the_stream_loses_in_a_failover_is_appended_again(tmp_path: Path) -> None:
    """It was in its lanes and had left its fan-out by then, so it was missing from the stream for good."""
    with (
        cluster_engines(tmp_path, primaries=2, replicas=1) as group,
        connect(group.url, timeout_s=5) as client,
    ):
        assert isinstance(client, ClusterClient)
        post, home = Post(client), client.node_of(keys.stream())
        post.cell = next(cell for cell in keys.cells() if client.node_of(keys.cursor(cell)) is not home)
        company = company_in(post.cell)
        post.set(ack_replicas=1, smtp_url="smtp://127.0.0.1")  # by which companies are read

        def is_put() -> bool:
            post.fan_out()
            return client.xlen(keys.fan_out(post.cell)) == 0

        post.decide("connection-1", company_id=company)
        until(is_put)

        home.acl_setuser("default", enabled=True, commands=["-psync", "-sync"])
        home.client_kill_filter(_type="replica")
        until(lambda: replicas_of(home) == 0)
        post.decide("connection-2", company_id=company)
        post.fan_out()
        assert client.xlen(keys.stream()) == 2
        port = home.info("server")["tcp_port"]
        for engine in group.engines.values():
            with Redis.from_url(engine.url) as other:
                if other.info("replication").get("master_port") == port:
                    other.execute_command("CLUSTER", "FAILOVER", "TAKEOVER")
        until(lambda: home.info("replication")["role"] == "slave")
        assert client.xlen(keys.stream()) == 1

        until(is_put)
        assert client.xlen(keys.stream()) == 2
