"""The client of a cluster, used like the client of one server.

redis-py's ``RedisCluster`` knows the nodes and their slots. A command goes to the node of its key over that
node's own client, because the way through the library costs twice the CPU; where the node redirects it
(MOVED, ASK) or cannot serve it now (TRYAGAIN, CLUSTERDOWN), the library sends it again. A pipeline is one
round trip to each node of its keys, all at once. A transaction is one of the node that holds its keys.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from redis import ConnectionError as RedisConnectionError
from redis import Redis, RedisError
from redis import TimeoutError as RedisTimeoutError
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import ClusterError, MovedError, RedisClusterException, ResponseError, TryAgainError
from redis.retry import Retry

from processor.settings.redis_address import RedisAddress
from processor.store.cluster_pipelines import ELSEWHERE, NodesPipeline, SlotTransaction
from processor.store.pool import Pool, TcpConnection, TlsConnection

REFRESH_EVERY_S = 0.2
"""Shortest time between two looks at the nodes of the cluster after a failure."""

ANYWHERE = frozenset({"ACL", "CLIENT", "CLUSTER", "CONFIG", "HELLO", "INFO", "PING", "TIME"})
"""Commands without a key, which any node answers."""

EVERYWHERE = frozenset({"BGREWRITEAOF", "FLUSHALL", "FLUSHDB", "SCRIPT", "SCRIPT LOAD"})
"""Commands for every primary, with the same reply."""

SINGLY: Mapping[str, tuple[str, Callable[[list[Any]], Any]]] = {
    "DEL": ("DEL", sum),
    "EXISTS": ("EXISTS", sum),
    "MGET": ("GET", list),
}
"""Commands that can be divided, each with the command for one key and what joins the replies."""

MOVING = "TRYAGAIN a slot of the cluster is being moved, and keys of one command are on both nodes"
"""What is said of a command that got no other reply."""


def key_of(args: Sequence[Any]) -> Any:
    """The first key of a command; ``None`` without one."""
    name = str(args[0]).partition(" ")[0]
    if name in ANYWHERE or name in EVERYWHERE:
        return None
    if name in ("EVAL", "EVALSHA"):
        return args[3]
    if name in ("XREAD", "XREADGROUP"):
        return args[[str(arg) for arg in args].index(str(b"STREAMS")) + 1]
    return args[1]


class ClusterClient(Redis):  # type: ignore[type-arg]
    """A client of the cluster at ``address``; ``options`` are those of the pool of each node.

    Nothing is sent before the first command.
    """

    def __init__(self, address: RedisAddress, **options: Any) -> None:
        options = {**options, "connection_class": TlsConnection if address.tls else TcpConnection}
        super().__init__(connection_pool=Pool(**options))  # no connection of this pool is ever opened
        self._options = options
        self._nodes = address.nodes
        self._cluster: Any = None
        self._lock = threading.Lock()
        self._refreshed_at = 0.0

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send one command to the node of its key, or to one or every primary."""
        if str(args[0]) in EVERYWHERE:
            try:
                return self._everywhere(args, options)
            except RedisConnectionError:  # one of them may have been replaced
                self.refresh()
                return self._everywhere(args, options)
        try:
            return self.node_for(args).execute_command(*args, **options)
        except ELSEWHERE:
            return self.send_again(args, options)
        except RedisConnectionError:  # as any client of one server, which opens a closed connection once
            self.refresh()
            return self.node_for(args).execute_command(*args, **options)
        except RedisTimeoutError:
            self.refresh()
            raise

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> "Pipeline[Any]":  # noqa: ARG002
        """Commands to all nodes, or a transaction in one slot."""
        return SlotTransaction(self) if transaction else NodesPipeline(self)

    def scan_iter(self, *args: Any, **options: Any) -> Iterator[Any]:
        """The keys of all primaries."""
        for node in self.primaries():
            yield from node.scan_iter(*args, **options)

    def dbsize(self, **options: Any) -> int:
        """Number of keys of all primaries."""
        return sum(int(node.dbsize(**options)) for node in self.primaries())

    def close(self) -> None:
        """Close all connections."""
        if self._cluster is not None:
            self._cluster.close()
            self._cluster = None

    def node_for(self, args: Sequence[Any]) -> "Redis[Any]":
        """The client of the node that holds the key of a command; any primary without a key."""
        key = key_of(args)
        return self.primaries()[0] if key is None else self.node_of(key)

    def node_of(self, key: Any) -> "Redis[Any]":
        """The client of the node that holds a key. Raises ``redis.ConnectionError`` if none does."""
        cluster = self.connected()
        with _as_redis_errors():
            node: Redis[Any] = cluster.get_redis_connection(cluster.get_node_from_key(key))
        return node

    def primaries(self) -> "list[Redis[Any]]":
        """A client of each primary."""
        cluster = self.connected()
        return [cluster.get_redis_connection(node) for node in cluster.get_primaries()]

    def _everywhere(self, args: Sequence[Any], options: dict[str, Any]) -> Any:
        """The first reply of all primaries. Raises the first refusal once all were asked."""
        replies: list[Any] = []
        refusals: list[ResponseError] = []
        for node in self.primaries():
            try:
                replies.append(node.execute_command(*args, **options))
            except ResponseError as refusal:
                refusals.append(refusal)
        if refusals:
            raise refusals[0]
        return replies[0]

    def send_again(self, args: Sequence[Any], options: dict[str, Any]) -> Any:
        """Send a command that a node redirected, wherever the library finds its key by now.

        One of ``SINGLY`` becomes a command for each key, which a slot that moves answers. Raises
        ``TryAgainError`` if the keys of another are still on two nodes after the library's patience (0.4 s).
        """
        if args[0] in SINGLY and len(args) > 2:
            name, join = SINGLY[args[0]]
            return join([self.send_again((name, key), options) for key in args[1:]])
        try:
            with _as_redis_errors():
                return self.connected().execute_command(*args, **options)
        except ClusterError as error:
            if isinstance(error, ResponseError):  # CLUSTERDOWN
                raise
            raise TryAgainError(MOVING) from error

    def follow(self, redirection: MovedError) -> None:
        """Remember the new node of a slot."""
        self.connected().nodes_manager.move_slot(redirection)

    def refresh(self) -> None:
        """Look again which nodes there are, after one could not be reached; never raises."""
        with self._lock:
            if self._cluster is None or time.monotonic() - self._refreshed_at < REFRESH_EVERY_S:
                return
            self._refreshed_at = time.monotonic()
            known = self.pools()
        with contextlib.suppress(RedisError), _as_redis_errors():
            # Asked last: all nodes that were known may have been replaced since.
            self._cluster.nodes_manager.initialize(additional_startup_nodes_info=list(self._nodes))
            current = self.pools()
            for pool in known:
                if pool not in current:  # its node is gone; what is in use ends with its command
                    pool.close_idle(0)

    def connected(self) -> Any:
        """The library's client, which asks for the nodes when it is made."""
        with self._lock:
            if self._cluster is None:
                with _as_redis_errors():
                    self._cluster = self._make()
            return self._cluster

    def pools(self) -> list[Pool]:
        """The connections to each node that is known."""
        nodes = [] if self._cluster is None else self._cluster.get_nodes()
        return [node.redis_connection.connection_pool for node in nodes if node.redis_connection is not None]

    def _make(self) -> Any:
        def pool(**options: Any) -> Pool:
            return Pool(**{**options, **self._options, "retry": options["retry"]})

        host, port = self._nodes[0]
        options = {
            name: value
            for name, value in self._options.items()
            if name not in ("connection_class", "retry", "health_check_interval")
        }
        return RedisCluster(
            url=f"redis://{f'[{host}]' if ':' in host else host}:{port}",
            startup_nodes=[ClusterNode(*node) for node in self._nodes[1:]],
            connection_pool_class=pool,
            retry=Retry(NoBackoff(), 1),
            require_full_coverage=False,
            **options,
        )


@contextlib.contextmanager
def _as_redis_errors() -> Iterator[None]:
    """Turn the library's own errors about a cluster, which are no ``redis.RedisError``, into such."""
    try:
        yield
    except RedisClusterException as error:
        raise RedisConnectionError(str(error) or "the cluster cannot be used") from error
