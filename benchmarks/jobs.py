"""The job of the comparison, where RQ can import it."""

from functools import cache
from unittest import mock

from redis import Redis

from handlers.registry import Policy
from processor.store.shards import Shard
from workers.inbox import drain
from workers.inbox.drain import Drain


@cache
def worker(shards: int, address: str) -> Drain:
    """What handles messages in this process; made once, as anybody would."""
    return Drain(Redis.from_url(address), policy=Policy(), shards=shards)


@cache
def part(shard: int, address: str) -> Shard:
    """A shard of the inbox."""
    return Shard(Redis.from_url(address), shard)


def one_by_one(shard: int, shards: int, address: str) -> int:
    """Handle one message of a shard, with the very same code that handles batches; how many that were."""
    with mock.patch.object(drain, "BATCH", 1):
        return worker(shards, address).batch(part(shard, address))[0]
