"""How many connections to Redis a service needs, as the documentation says it."""

from pathlib import Path

import pytest
from redis import RedisError

from processor.container import for_web, message_inbox
from processor.settings.loading import load
from processor.store.connection_limits import SHARES, WEB, by_process_type, needed
from tests.support.serving import ENVIRON

OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"


def test_the_documented_numbers_are_those_that_the_processes_keep_to() -> None:
    """A plan of 40 connections was too small for the documented recipe, which named no number."""
    numbers = by_process_type(load(ENVIRON))
    rows = [line.split("|") for line in OPERATIONS.read_text().splitlines()]
    said = {row[1].strip(" `"): int(row[3]) for row in rows if len(row) == 5 and row[3].strip().isdigit()}

    assert said == numbers
    assert needed(load(ENVIRON)) == sum(said.values()) == 30


def test_more_processes_need_more() -> None:
    settings = load({**ENVIRON, "WEB_CONCURRENCY": "1", "WORKERS": "1"})
    assert by_process_type(settings) == {"web": 5, "worker": 15, "clock": 2}


def test_messages_have_a_connection_that_no_page_can_take(redis_url: str) -> None:
    settings = load({**ENVIRON, "REDIS_URL": redis_url})
    pages, messages = for_web(settings).redis, message_inbox(settings)
    taken = [pages.connection_pool.get_connection() for _ in range(SHARES[WEB] - 1)]

    with pytest.raises(RedisError):
        pages.ping()
    assert messages.depth() == 0

    for connection in taken:
        pages.connection_pool.release(connection)
    pages.close()
    messages._client.close()
