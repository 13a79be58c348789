"""The proofs by which ``/readyz`` and ``check`` know what Redis takes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis, RedisError

from processor.store.probe import prove_accepting, prove_draining, prove_enqueuing
from tests.support import messages
from tests.support.engines import cluster_node, own_engine
from tests.support.messages import signed
from tests.support.serving import ADDRESS, serving

PROOFS = (prove_accepting, prove_draining, prove_enqueuing)

BODY = messages.connected("company-1", "connection-1")


@pytest.fixture
def client(redis_url: str) -> Iterator["Redis[bytes]"]:
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.mark.parametrize("prove", PROOFS)
def test_a_proof_succeeds_on_a_sound_engine_and_leaves_nothing_behind(client, prove) -> None:
    prove(client)

    assert client.keys() == []


@pytest.mark.parametrize("prove", PROOFS)
def test_a_proof_touches_nothing_that_is_there(client, prove, redis_url) -> None:
    serving(redis_url).post(ADDRESS, data=BODY, headers=signed(BODY))
    before = {key: client.dump(key) for key in client.scan_iter()}

    prove(client)

    assert {key: client.dump(key) for key in client.scan_iter()} == before


@pytest.mark.parametrize("prove", PROOFS)
def test_a_user_with_our_keys_alone_and_without_info_passes(client, prove) -> None:
    """``check`` failed a store that could work: its user had no INFO, and ``codat:*`` and ``rq:*`` alone."""
    client.execute_command(
        *("ACL", "SETUSER", "ours", "on", ">pw", "~codat:*", "~rq:*", "&*", "+@all", "-info", "-config")
    )
    pool = client.connection_pool.connection_kwargs
    with Redis(**{**pool_address(pool), "username": "ours", "password": "pw"}) as theirs:
        prove(theirs)


def pool_address(options):
    """Where a client leads to, of what it is made with."""
    if "path" in options:
        return {"unix_socket_path": options["path"]}
    return {"host": options["host"], "port": options["port"]}


@pytest.mark.parametrize("prove", PROOFS)
def test_what_redis_refuses_fails_the_proof(client, prove) -> None:
    client.config_set("maxmemory", "1")
    try:
        with pytest.raises(RedisError, match=r"OOM|maxmemory"):
            prove(client)
    finally:
        client.config_set("maxmemory", "0")


@pytest.mark.parametrize("prove", PROOFS)
def test_a_replica_fails_the_proof(data_dir: Path, prove) -> None:
    with own_engine(data_dir) as url, Redis.from_url(url) as client:
        client.replicaof("127.0.0.1", "1")
        with pytest.raises(RedisError, match=r"read.?only"):
            prove(client)


def test_on_a_cluster_accepting_and_draining_succeed_and_queueing_fails(data_dir: Path) -> None:
    """A cell has one slot; RQ does not run on a cluster."""
    with cluster_node(data_dir) as url, Redis.from_url(url) as client:
        prove_accepting(client)
        prove_draining(client)
        assert client.keys() == []
        with pytest.raises(RedisError, match="slot"):
            prove_enqueuing(client)
