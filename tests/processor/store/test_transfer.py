"""A store that moves: exported, imported into another one, interrupted on the way."""

import base64
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from processor.errors import Conflict
from processor.store import keys, layout, transfer
from processor.store.archive import ArchiveUnreadable, read_key
from processor.store.client import connect
from processor.store.cluster import ClusterClient
from processor.store.transfer import export_store, import_store
from tests.processor.web.v1.filling import KEY, Filling
from tests.support.engines import cluster, own_engine
from tests.support.service import until

CELLS = 16
SECRET = base64.urlsafe_b64encode(bytes(range(32))).decode()


class Interruption(Exception):
    """Ends an export or an import in the middle."""


def interrupt(_total: int) -> None:
    """Called after the first frame."""
    raise Interruption


@pytest.fixture
def source(redis_url: str) -> Iterator["Redis[Any]"]:
    """A store in which much has happened, with a key of each type that has several parts."""
    filling = Filling(redis_url)
    for company in ("c1", "c2", "c3"):
        filling.make_ready(company=company)
    filling.accept_broken()
    filling.drain()
    filling.close()
    with Redis.from_url(redis_url) as client:
        name = f"{keys.PREFIX}large-"
        client.rpush(f"{name}list", *range(5_000))
        client.zadd(f"{name}zset", {f"member-{number}": number / 3 for number in range(5_000)})
        client.hset(f"{name}hash", mapping={f"field-{number}": os.urandom(8) for number in range(5_000)})
        client.set(f"{name}string", b"\x00\xff", ex=1_000)
        client.xadd(f"{name}stream", {"a": "1"}, id="5-1")
        client.xadd(f"{name}stream", {"a": "2"}, id="6-1")
        client.xdel(f"{name}stream", "6-1")
        client.xgroup_create(f"{name}stream", "readers", "5-1")
        yield client


@pytest.fixture
def target(tmp_path: Path) -> Iterator["Redis[Any]"]:
    """An empty store of another server."""
    with own_engine(tmp_path / "target") as url, Redis.from_url(url) as client:
        yield client


def answers(client: "Redis[Any]") -> list[bytes]:
    """What `/v1` says of the store of a server, byte by byte."""
    options = client.connection_pool.connection_kwargs
    return answers_at(
        f"unix://{options['path']}" if "path" in options else f"redis://127.0.0.1:{options['port']}/0"
    )


def answers_at(url: str, **settings: str) -> list[bytes]:
    """The same of the store at an address."""
    filling = Filling(url, **settings)
    caller = filling.app.test_client()
    paths = [f"/v1/{what}?limit=200" for what in ("connections", "companies", "events", "notifications")]
    for what in ("connections", "events", "notifications"):
        answer: Any = caller.get(f"/v1/{what}?limit=200", headers={"Authorization": f"Bearer {KEY}"}).json
        items = answer["items"]
        paths += [f"/v1/{what}/{item['id']}" for item in items]
        if what == "connections":
            paths += [f"/v1/connections/{item['id']}/timeline" for item in items]
    results = [caller.get(path, headers={"Authorization": f"Bearer {KEY}"}).data for path in sorted(paths)]
    filling.close()
    return results


@pytest.mark.parametrize("key", [None, read_key(SECRET)], ids=["plain", "encrypted"])
def test_a_round_trip_gives_the_same_answers(
    source: Any,
    target: Any,
    tmp_path: Path,
    key: bytes | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transfer, "FRAME_BYTES", 10_000)  # several frames, also within a page
    monkeypatch.setattr(transfer, "PAGE", 20)
    path = tmp_path / "store.export"
    expected = answers(source)
    with pytest.raises(Interruption):
        export_store(source, path, cells=CELLS, key=key, progress=interrupt)
    with (tmp_path / "store.export.part").open("ab") as file:
        file.write(b"\x00\x00\xff")  # of a frame that was not written to its end
    total = export_store(source, path, cells=CELLS, key=key)
    assert not (tmp_path / "store.export.part").exists()
    assert (b"initial_sync" in path.read_bytes()) is False

    with pytest.raises(Interruption):
        import_store(target, path, cells=CELLS, key=key, progress=interrupt)
    assert import_store(target, path, cells=CELLS, key=key) == total

    assert answers(target) == expected
    assert sorted(target.scan_iter()) == sorted(source.scan_iter())
    large = f"{keys.PREFIX}large-"
    assert target.lrange(f"{large}list", 0, -1) == source.lrange(f"{large}list", 0, -1)
    assert target.zrange(f"{large}zset", 0, -1, withscores=True) == source.zrange(
        f"{large}zset", 0, -1, withscores=True
    )
    assert target.hgetall(f"{large}hash") == source.hgetall(f"{large}hash")
    assert 0 < target.pttl(f"{keys.PREFIX}large-string") <= 1_000_000
    stream = f"{keys.PREFIX}large-stream"
    assert target.xrange(stream) == source.xrange(stream)
    assert target.xinfo_stream(stream)["last-generated-id"] == b"6-1"
    assert [row["last-delivered-id"] for row in target.xinfo_groups(stream)] == [b"5-1"]
    with pytest.raises(Conflict, match="not empty"):
        import_store(target, path, cells=CELLS, key=key)
    assert import_store(target, path, cells=CELLS, key=key, replace=True) == total


def test_a_store_moves_from_a_server_into_a_cluster_and_back(
    source: Any, target: Any, tmp_path: Path
) -> None:
    path, key = tmp_path / "store.export", read_key(SECRET)
    expected = answers(source)
    export_store(source, path, cells=CELLS, key=key)
    with cluster(tmp_path / "cluster", 3) as url, contextlib.closing(connect(url, timeout_s=60)) as nodes:
        import_store(nodes, path, cells=CELLS, key=key)
        path.unlink()

        assert answers_at(url, QUEUE_REDIS_URL="unix:///nonexistent") == expected
        export_store(nodes, path, cells=CELLS, key=key)

    import_store(target, path, cells=CELLS, key=key)
    assert answers(target) == expected
    assert sorted(target.scan_iter()) == sorted(source.scan_iter())


def test_a_half_imported_store_takes_the_same_file_or_is_replaced(
    source: Any, target: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    monkeypatch.setattr(transfer, "FRAME_BYTES", 10_000)
    for path in (first, second):
        export_store(source, path, cells=CELLS, key=None)
        assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Interruption):
        import_store(target, first, cells=CELLS, key=None, progress=interrupt)
    before = sorted(target.scan_iter())
    with pytest.raises(Conflict, match="not empty"):
        import_store(target, second, cells=CELLS, key=None)
    assert sorted(target.scan_iter()) == before
    with monkeypatch.context() as patched:
        patched.setattr(transfer, "_empty", interrupt)
        with pytest.raises(Interruption):
            import_store(target, second, cells=CELLS, key=None, replace=True)
    assert layout.refusal(target, CELLS) is not None  # nothing may work on a store that is half empty
    assert import_store(target, second, cells=CELLS, key=None) > 0
    assert sorted(target.scan_iter()) == sorted(source.scan_iter())


def test_servers_that_change_meanwhile_leave_nothing_out(
    source: Any, target: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slot that moved to a server that was read already was missing from the file, and so was what a cursor
    of one server passed over on another; what a primary had not passed on was never written again."""
    monkeypatch.setattr(transfer, "FRAME_BYTES", 10_000)
    path, again = tmp_path / "store.export", tmp_path / "again.export"
    total = export_store(source, path, cells=CELLS, key=None)
    with cluster(tmp_path / "cluster", 2) as url, contextlib.closing(connect(url, timeout_s=60)) as nodes:
        assert isinstance(nodes, ClusterClient)
        moved: list[int] = []

        def move(_total: int) -> None:
            """Move a slot to the other node, once."""
            if moved:
                return
            before, name = transfer._source(nodes), keys.cursor(0)
            nodes.exists(name)
            home = nodes.node_of(name)
            other = next(node for node in nodes.primaries() if node is not home)
            moved.append(nodes.connected().keyslot(name))
            place = ("SLOTSRANGE", *2 * moved, "NODE", other.execute_command("CLUSTER", "MYID").decode())
            home.execute_command("CLUSTER", "MIGRATESLOTS", *place)
            until(lambda: transfer._source(nodes) != before)
            until(lambda: not home.execute_command("CLUSTER", "COUNTKEYSINSLOT", *moved))

        with pytest.raises(Interruption):
            import_store(nodes, path, cells=CELLS, key=None, progress=interrupt)
        lost = next(name for name in nodes.scan_iter() if name != keys.importing().encode())
        nodes.delete(lost)
        move(0)
        assert import_store(nodes, path, cells=CELLS, key=None) == total
        assert sorted(nodes.scan_iter()) == sorted(source.scan_iter())

        moved.clear()
        with pytest.raises(Conflict, match="servers changed"):
            import_store(nodes, path, cells=CELLS, key=None, replace=True, progress=move)
        assert layout.refusal(nodes, CELLS) is not None
        assert import_store(nodes, path, cells=CELLS, key=None) == total

        moved.clear()
        with pytest.raises(Conflict, match="servers changed"):
            export_store(nodes, again, cells=CELLS, key=None, progress=move)
        assert not again.exists()
        assert export_store(nodes, again, cells=CELLS, key=None) == total
    import_store(target, again, cells=CELLS, key=None)
    assert sorted(target.scan_iter()) == sorted(source.scan_iter())


def test_a_user_who_may_not_look_at_the_server_moves_a_store(
    source: Any, target: Any, tmp_path: Path
) -> None:
    """An import asked the server who it is, which a restricted user may not: it ended before it began."""
    path, again = tmp_path / "store.export", tmp_path / "again.export"
    total = export_store(source, path, cells=CELLS, key=None)
    target.acl_setuser("default", enabled=True, commands=["-info"])
    with pytest.raises(Interruption):
        import_store(target, path, cells=CELLS, key=None, progress=interrupt)
    assert import_store(target, path, cells=CELLS, key=None) == total
    assert export_store(target, again, cells=CELLS, key=None) == total
    assert sorted(target.scan_iter()) == sorted(source.scan_iter())


def test_a_consumer_gets_again_what_it_had_not_acknowledged(source: Any, target: Any, tmp_path: Path) -> None:
    stream = f"{keys.PREFIX}large-told"
    for id_ in ("1-5", "2-0", "2-1", "3-0"):
        source.xadd(stream, {"a": id_}, id=id_)
    source.xgroup_create(stream, "readers", "0")
    source.xreadgroup("readers", "one", {stream: ">"}, count=3)
    source.xack(stream, "readers", "1-5", "2-1")
    export_store(source, tmp_path / "x", cells=CELLS, key=None)
    import_store(target, tmp_path / "x", cells=CELLS, key=None)
    ((_, entries),) = target.xreadgroup("readers", "another", {stream: ">"})
    assert [id_ for id_, _ in entries] == [b"2-0", b"2-1", b"3-0"]


def test_a_file_that_cannot_be_imported_changes_nothing(source: Any, target: Any, tmp_path: Path) -> None:
    path, key = tmp_path / "store.export", read_key(SECRET)
    export_store(source, path, cells=CELLS, key=key)
    whole = path.read_bytes()

    for data, cells, given, reason in (
        (whole, 4, key, "CELLS=16"),
        (whole, CELLS, None, "give its key"),
        (whole, CELLS, bytes(32), "not the one of this file"),
        (whole[:-40], CELLS, key, "not whole"),
        (whole[:200] + b"\x00" + whole[201:], CELLS, key, "not the one of this file"),
        (b"something else", CELLS, key, "no file of"),
    ):
        path.write_bytes(data)
        with pytest.raises((Conflict, ArchiveUnreadable), match=reason):
            import_store(target, path, cells=cells, key=given, replace=True)
        assert target.dbsize() == 0

    source.set(keys.layout(), f"{layout.VERSION - 1} {CELLS}")
    export_store(source, path, cells=CELLS, key=key)
    with pytest.raises(ArchiveUnreadable, match="another version"):
        import_store(target, path, cells=CELLS, key=key, replace=True)
    assert target.dbsize() == 0
    with pytest.raises(ArchiveUnreadable, match="32 bytes"):
        read_key("c2hvcnQ=")
