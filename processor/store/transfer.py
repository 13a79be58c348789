"""Exports a store into a file and imports it into another one, on a server of any kind and version.

Values are read and written by type: what DUMP writes can be read by servers of the same version alone. A
file is for versions of this service with the same layout of the store. Both ways go on where they were
interrupted. Nothing may write to the store meanwhile; RQ's queue is no part of it.
"""

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from redis import Redis, ResponseError

from processor.clock import to_iso, utc_now
from processor.errors import Conflict
from processor.store import keys, layout, stream_transfer
from processor.store.archive import (
    SALT_BYTES,
    ArchiveFrame,
    ArchiveHeader,
    ArchiveRecord,
    ArchiveUnreadable,
    FrameCodec,
    read_header,
    read_parts,
    write_header,
    write_part,
)
from processor.store.cluster import ClusterClient
from processor.store.decoding import text

PAGE = 500
"""Keys of one page of SCAN."""

LARGEST = 2_000
"""Members of one record; a larger key has several."""

FRAME_BYTES = 1 << 20
"""A frame is written when its records have about so many bytes."""

CHANGED = "The servers changed meanwhile (a failover, a restart, or slots that moved): parts may be missing."

Progress = Callable[[int], object]
"""Called with the number of records that are done."""


def export_store(
    client: "Redis[Any]", path: Path, *, cells: int, key: bytes | None, progress: Progress = lambda _: None
) -> int:
    """Write the whole store into ``path``; the number of records.

    An interrupted export goes on from its ``.part`` file, if the servers are the same and have not restarted.
    Raises :class:`Conflict` if they are others at the end, ``redis.RedisError`` and ``OSError``.
    """
    servers, source = _servers(client), _source(client)
    part = path.with_name(f"{path.name}.part")
    # What is in it, secrets too, is for its owner alone.
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        resumed = _resume(file, source, cells, key)
        if resumed is None:
            file.seek(0)
            file.truncate()
            salt = b"" if key is None else os.urandom(SALT_BYTES)
            header = ArchiveHeader(secrets.token_hex(8), cells, to_iso(utc_now()), source, salt)
            write_header(file, header)
            resumed = _ResumePoint(FrameCodec(header, key), 0, 0, 0, 0)
        codec, number, total, first_server, cursor = resumed
        for index, server in enumerate(servers[first_server:], first_server):
            for frame in _frames(server, index, cursor if index == first_server else 0):
                write_part(file, codec.encode(number, frame))
                number, total = number + 1, total + len(frame.records)
                progress(total)
        if _source(client) != source:  # what a cursor of one server passes over is not that of another
            raise Conflict(f"{CHANGED} Export it again.")
        write_part(file, codec.encode(number, ArchiveFrame(0, 0, [], total)))
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return total


def import_store(
    client: "Redis[Any]",
    path: Path,
    *,
    cells: int,
    key: bytes | None,
    replace: bool = False,
    progress: Progress = lambda _: None,
) -> int:
    """Write the records of ``path`` into an empty store; their number.

    The same file goes on where its import was interrupted, if the servers are the same: others may lack what
    was written last. Raises :class:`Conflict` for a store that is not empty, unless it is to be replaced, and
    if the servers are others at the end; ``ArchiveUnreadable``; ``redis.RedisError`` and ``OSError``.
    """
    source = _source(client)
    with path.open("rb") as file:
        header = read_header(file)
        if header.cells != cells:
            raise Conflict(f"The file is of a store with CELLS={header.cells}: set CELLS={header.cells}.")
        codec = FrameCodec(header, key)
        state = client.hgetall(keys.importing())
        is_begun = state.get(b"id") == header.id.encode()
        is_same = is_begun and state.get(b"source") == source.encode()
        done = int(state.get(b"frames", 0)) if is_same else 0
        if not done:
            _check_whole(path, codec)
            if not (replace or is_begun):
                _require_empty(client)
            # Before anything is deleted: a store that is half empty is refused like one that is half filled.
            client.hset(keys.importing(), mapping={"id": header.id, "frames": 0, "source": source})
            _empty(client)
        total = 0
        for number, part in enumerate(read_parts(file)):
            frame = codec.decode(number, part)
            total += len(frame.records)
            if number >= done and frame.total < 0:
                _write(client, frame.records)
                client.hset(keys.importing(), "frames", number + 1)
                progress(total)
    if _source(client) != source:
        client.hset(keys.importing(), mapping={"id": header.id, "frames": 0})
        raise Conflict(f"{CHANGED} Import it again.")
    client.delete(keys.importing())
    return total


class _ResumePoint(NamedTuple):
    codec: FrameCodec
    number: int
    total: int
    server: int
    cursor: int


def _resume(file: Any, source: str, cells: int, key: bytes | None) -> _ResumePoint | None:
    """Where an interrupted export goes on, with ``file`` after its last whole frame; ``None``: anew."""
    try:
        header = read_header(file)
        if (header.source, header.cells) != (source, cells):
            return None
        codec, end, number, total = FrameCodec(header, key), file.tell(), 0, 0
        last = ArchiveFrame(0, 0, [])
        for number, part in enumerate(read_parts(file), 1):
            last, end = codec.decode(number - 1, part), file.tell()
            total += len(last.records)
    except ArchiveUnreadable:
        return None
    if last.total >= 0:
        return None
    file.seek(end)
    file.truncate()
    return _ResumePoint(codec, number, total, last.server, last.cursor)


def _check_whole(path: Path, codec: FrameCodec) -> None:
    """Raise ``ArchiveUnreadable`` unless the file has all its frames, and is of a store of this layout."""
    total, last = 0, ArchiveFrame(0, 0, [])
    with path.open("rb") as file:
        read_header(file)
        for number, part in enumerate(read_parts(file)):
            last = codec.decode(number, part)
            total += len(last.records)
            for record in last.records:
                if record.key == keys.layout().encode() and not layout.is_of_this_version(record.value[0]):
                    raise ArchiveUnreadable("The file was exported by another version of this service.")
    if last.total != total:
        raise ArchiveUnreadable("The file is not whole: its export did not end.")


def _servers(client: "Redis[Any]") -> "list[Redis[Any]]":
    """The servers that hold the store, always in the same order."""
    if not isinstance(client, ClusterClient):
        return [client]
    return sorted(client.primaries(), key=lambda node: str(node.connection_pool.connection_kwargs["port"]))


def _source(client: "Redis[Any]") -> str:
    """The servers that hold the store, each as it was started, and in a cluster with its slots."""
    unknown = f"{os.getpid()}.{id(client)}"
    parts = []
    for server in _servers(client):
        try:
            parts.append(str(server.info("server").get("run_id") or unknown))
            if isinstance(client, ClusterClient):
                rows = server.execute_command("CLUSTER NODES").values()
                parts += [f"{row['slots']}{row['migrations']}" for row in rows if "myself" in row["flags"]]
        except ResponseError:  # not for this user: nothing that another process began is gone on with
            parts.append(unknown)
    return ",".join(parts)


def _require_empty(client: "Redis[Any]") -> None:
    for server in _servers(client):
        if next(server.scan_iter(match=f"{keys.PREFIX}*", count=PAGE), None) is not None:
            raise Conflict("The store is not empty: empty it, or use --replace, which deletes what it has.")


def _empty(client: "Redis[Any]") -> None:
    """Delete all keys but the one that says that an import is under way."""
    for server in _servers(client):
        for name in server.scan_iter(match=f"{keys.PREFIX}*", count=PAGE):
            if name != keys.importing().encode():
                server.unlink(name)


def _frames(server: "Redis[Any]", index: int, cursor: int) -> Iterator[ArchiveFrame]:
    """The keys of a server from a cursor of SCAN on."""
    while True:
        after, names = server.scan(cursor, match=f"{keys.PREFIX}*", count=PAGE)
        records: list[ArchiveRecord] = []
        size = 0
        for record in _records(server, names):
            records.append(record)
            size += len(record.key) + sum(map(_size, record.value))
            if size > FRAME_BYTES:
                yield ArchiveFrame(index, cursor, records)
                records, size = [], 0
        if records:
            yield ArchiveFrame(index, cursor, records)
        if not after:
            return
        cursor = after


def _size(value: Any) -> int:
    return len(value) if isinstance(value, bytes) else 8


def _records(server: "Redis[Any]", names: list[bytes]) -> Iterator[ArchiveRecord]:
    with server.pipeline(transaction=False) as pipe:
        pipe.time()
        for name in names:
            pipe.type(name)
            pipe.pttl(name)
        (seconds, micros), *rows = pipe.execute()
    now_ms = seconds * 1000 + micros // 1000
    for name, kind, ttl_ms in zip(names, rows[::2], rows[1::2], strict=True):
        if ttl_ms == -2:  # it has just expired
            continue
        expires_ms = now_ms + ttl_ms if ttl_ms >= 0 else 0
        start = 0
        for value in _READERS[text(kind)](server, name):
            yield ArchiveRecord(name, text(kind), start, expires_ms, value)
            start += len(value)


def _read_scanned(rows: Iterator[Any]) -> Iterator[list[Any]]:
    value: list[Any] = []
    for row in rows:
        value += row if isinstance(row, tuple) else (row,)
        if len(value) >= LARGEST:
            yield value
            value = []
    if value:
        yield value


def _read_list(server: "Redis[Any]", name: bytes) -> Iterator[list[Any]]:
    start = 0
    while value := server.lrange(name, start, start + LARGEST - 1):
        yield value
        start += len(value)


_READERS: dict[str, Callable[["Redis[Any]", bytes], Iterator[list[Any]]]] = {
    "string": lambda server, name: iter([[server.get(name)]]),
    "hash": lambda server, name: _read_scanned(server.hscan_iter(name, count=PAGE)),
    "set": lambda server, name: _read_scanned(server.sscan_iter(name, count=PAGE)),
    "zset": lambda server, name: _read_scanned(server.zscan_iter(name, count=PAGE)),
    "list": _read_list,
    "stream": lambda server, name: stream_transfer.read(server, name, count=LARGEST),
}


_COMMANDS = {"string": "SET", "hash": "HSET", "set": "SADD"}
"""The commands that take values as they were read."""


def _write(client: "Redis[Any]", records: list[ArchiveRecord]) -> None:
    """Write records; those of a frame that was interrupted are written once more, with the same result."""
    now_ms = int(utc_now().timestamp() * 1000)
    with client.pipeline(transaction=False) as pipe:
        for record in records:
            if 0 < record.expires_ms <= now_ms:
                continue
            if record.start == 0:
                pipe.delete(record.key)
            for command in _commands(record):
                pipe.execute_command(*command)  # type: ignore[no-untyped-call]
            if record.expires_ms:
                pipe.pexpireat(record.key, record.expires_ms)
        replies = pipe.execute(raise_on_error=False)
    for reply in replies:
        if isinstance(reply, Exception) and not _is_repeated(reply):
            raise reply


def _is_repeated(error: Exception) -> bool:
    """Whether an entry of a stream, or a group, is there already."""
    return "equal or smaller than the target stream top item" in str(error) or "BUSYGROUP" in str(error)


def _commands(record: ArchiveRecord) -> Iterator[tuple[Any, ...]]:
    name, value = record.key, record.value
    if record.type in _COMMANDS:
        yield (_COMMANDS[record.type], name, *value)
    elif record.type == "zset":
        yield ("ZADD", name, *(part for pair in zip(value[1::2], value[::2], strict=True) for part in pair))
    elif record.type == "list":
        if record.start:
            yield ("LTRIM", name, 0, record.start - 1)
        yield ("RPUSH", name, *value)
    elif record.type == "stream":
        for row in value:
            yield from stream_transfer.commands(name, row)
