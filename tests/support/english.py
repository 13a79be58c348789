"""The sentences of the source, which no page and no e-mail in another language may contain."""

import re
from functools import cache

from processor.languages import messages

PLACEHOLDER = re.compile(r"\{\w+\}|%\(\w+\)s")


@cache
def sentences() -> tuple[str, ...]:
    """All texts to translate that are long enough to be recognised and have no gap to fill."""
    texts = [message.id for message in messages.collected() if isinstance(message.id, str)]
    long = tuple(text for text in texts if len(text) > 12 and not PLACEHOLDER.search(text))
    assert len(long) > 100
    return long
