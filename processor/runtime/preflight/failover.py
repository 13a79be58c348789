"""Checks what a failover needs: replicas that follow, and Sentinels that agree."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import redis

from processor.runtime.preflight.results import REDIS, CheckResult
from processor.settings.definitions import Settings
from processor.settings.redis_address import EngineKind, parse
from processor.store.keys import SLOTS
from processor.store.sentinel import sentinels_of

MOST_SLOTS = 5
"""Largest number of slots in a sentence."""


def check_replicas(settings: Settings, info: Mapping[str, Any]) -> Iterator[CheckResult]:
    """Check the replicas of a primary that the reply of INFO shows."""
    if "connected_slaves" not in info:
        if settings.ack_replicas:
            yield REDIS.unknown("The server does not show its replicas, on which ACK_REPLICAS waits.")
        return
    replicas = int(info["connected_slaves"])
    if replicas < settings.ack_replicas:
        yield REDIS.error(
            f"ACK_REPLICAS is {settings.ack_replicas}, and {replicas} replica(s) follow it:"
            " every message would be answered 503."
        )
    elif settings.ack_replicas:
        yield REDIS.ok(
            f"{replicas} replica(s) follow it; a 2xx waits until {settings.ack_replicas} has the message."
        )
    elif replicas:
        yield REDIS.warning(
            f"{replicas} replica(s) follow it a moment later: a failover can lose messages that were"
            " accepted just before. ACK_REPLICAS=1 waits for a replica before each 2xx."
        )


def check_slots(primaries: "Sequence[redis.Redis[Any]]") -> CheckResult:
    """Check that a cluster serves all slots, and so every company."""
    try:
        info = primaries[0].execute_command("CLUSTER INFO")
        served = int(info["cluster_slots_ok"])
    except (redis.RedisError, IndexError, KeyError, TypeError):
        return REDIS.unknown("The cluster does not show which slots it serves.")
    if served < SLOTS:
        return REDIS.error(f"The cluster serves {served:,} of {SLOTS:,} slots: some companies are left out.")
    return REDIS.ok(f"The cluster serves all slots with {len(primaries)} primaries.")


def check_moving_slots(primaries: "Sequence[redis.Redis[Any]]") -> Iterator[CheckResult]:
    """Check that no slot is half on one node and half on another, as an interrupted move leaves it."""
    slots: set[int] = set()
    for server in primaries:
        with contextlib.suppress(redis.RedisError, AttributeError, KeyError, TypeError, ValueError):
            rows = server.execute_command("CLUSTER NODES").values()
            slots.update(int(move["slot"]) for row in rows for move in row["migrations"])
    if slots:
        named = ", ".join(map(str, sorted(slots)[:MOST_SLOTS])) + (", ..." if len(slots) > MOST_SLOTS else "")
        yield REDIS.warning(
            f"{len(slots)} slot(s) of the cluster are being moved ({named}): messages of their companies are"
            " answered 503 until that ends. If nobody moves them now, `redis-cli --cluster fix` ends it."
        )


def check_sentinels(settings: Settings, url: str) -> Iterator[CheckResult]:
    """Check that the Sentinels of ``url`` answer, and could agree on a failover; no result without any."""
    address = parse(url)
    if address.kind is not EngineKind.SENTINEL:
        return
    answers, complaint = 0, ""
    for client in sentinels_of(address, verify_tls=settings.redis_tls_verify).sentinels:
        with client:
            try:
                client.execute_command("SENTINEL", "CKQUORUM", address.service)
                answers += 1
            except redis.ResponseError as error:
                answers, complaint = answers + 1, _complaint(client, address.service, error)
            except redis.RedisError:
                continue
    if complaint:
        yield REDIS.error(f"The Sentinels could not agree on a failover: {complaint}.")
    elif answers < len(address.nodes):
        yield REDIS.warning(f"{answers} of {len(address.nodes)} Sentinels answer.")
    else:
        yield REDIS.ok(f"{answers} Sentinel(s) answer, and can agree on a failover.")


def _complaint(client: Any, service: str, error: redis.ResponseError) -> str:
    """What a Sentinel says, and which services it watches where it does not know this one."""
    if "No such master" not in str(error):
        return str(error)
    with contextlib.suppress(redis.RedisError):
        names = ", ".join(sorted(client.sentinel_masters()))
        return f"they do not watch {service}, but {names or 'nothing'}"
    return str(error)
