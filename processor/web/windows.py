"""Counts within a window of time that begins with the first, for all processes."""

from processor.web.dependencies import get_container


def count(key: str, window_s: int) -> int:
    """Count once more; the number within the window so far. Raises ``redis.RedisError``."""
    with get_container().redis.pipeline(transaction=True) as pipe:
        pipe.set(key, 0, ex=window_s, nx=True)
        pipe.incr(key)
        return int(pipe.execute()[1])
