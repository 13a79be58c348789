"""Names of subscribers for people: description, else host; a whole address may hold secrets. Pure."""

from collections import Counter
from collections.abc import Iterable
from urllib.parse import urlsplit

from processor.delivery.subscribers import Subscriber


def named(subscribers: Iterable[Subscriber]) -> dict[str, str]:
    """A name for each id; where several would have the same, the id is a part of it."""
    names = {one.id: one.description.strip() or host(one.url) for one in subscribers}
    count = Counter(names.values())
    return {id_: name if count[name] == 1 else f"{name} ({id_})" for id_, name in names.items()}


def without_query(url: str) -> str:
    """An address as far as it may be shown in a list: no user and no query, which may be secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{host(url)}{parts.path}"


def host(url: str) -> str:
    """The host of an address, with its port where it names one; never a user, a path or a query."""
    return urlsplit(url).netloc.rpartition("@")[2]
