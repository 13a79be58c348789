"""Names of subscribers for people: the description, else the host; a whole URL may hold secrets. Pure."""

from collections import Counter
from collections.abc import Iterable
from urllib.parse import urlsplit

from processor.delivery.subscribers import Subscriber


def names_of(subscribers: Iterable[Subscriber]) -> dict[str, str]:
    """A name by subscriber id; equal names are followed by the id."""
    names = {
        subscriber.id: subscriber.description.strip() or host(subscriber.url) for subscriber in subscribers
    }
    count = Counter(names.values())
    return {id_: name if count[name] == 1 else f"{name} ({id_})" for id_, name in names.items()}


def without_query(url: str) -> str:
    """A URL for lists, without user and query, which may be secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{host(url)}{parts.path}"


def host(url: str) -> str:
    """The host of a URL, with its port if given; without user, path and query."""
    return urlsplit(url).netloc.rpartition("@")[2]
