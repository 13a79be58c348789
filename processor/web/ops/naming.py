"""What receivers are called on the pages."""

from processor.delivery.naming import named
from processor.web.context import desk


def of_subscribers() -> dict[str, str]:
    """The name of every subscriber by its id. Raises ``redis.RedisError``."""
    return named(desk().subscribers.all())
