"""The only functions that RQ calls. Each is harmless when called twice, late, or not at all."""

from workers import runtime


def drain(shard: int) -> int:
    """Drain a shard and hand over when messages still wait; how many were handled."""
    own = runtime.current()
    drained = own.drain.run(shard)
    if drained.more and not own.stopping():
        own.bell.wake_shard(shard)
    return drained.handled


def ask() -> int:
    """Put the questions that are due to Codat; how many were dealt with."""
    own = runtime.current()
    return own.ask()
