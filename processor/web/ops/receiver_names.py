"""Names of receivers on the pages."""

from processor.delivery.subscriber_names import names_of
from processor.web.dependencies import get_container


def of_subscribers() -> dict[str, str]:
    """The name of every subscriber, by id. Raises ``redis.RedisError``."""
    return names_of(get_container().subscribers.all())
