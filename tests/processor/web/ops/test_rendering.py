"""What all operators' pages have."""

import pytest

from tests.processor.web.ops.operating import (
    OWN_SCRIPT,
    Operator,
    add_subscriber,
)
from tests.processor.web.v1.filling import START, Filling

NOW = str(int(START.timestamp()))
PAGES = ["/ops", "/ops/connections", "/ops/events", "/ops/notifications", "/ops/subscribers", "/ops/search"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_may_be_loaded_again_by_itself_and_that_can_be_stopped(operator: Operator, path: str) -> None:
    still = operator.open(path).text
    assert "http-equiv" not in still
    assert 'href="?refresh=30"' in still
    moving = operator.open(path, refresh="30").text
    assert '<noscript><meta http-equiv="refresh" content="30; url=?refresh=30"></noscript>' in moving
    assert 'data-reload-s="30" data-reload-url="?refresh=30"' in moving
    assert 'href="?">Stop' in moving
    assert "http-equiv" not in operator.open(path, refresh="0; url=http://evil.example").text


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_one_title_a_language_and_headed_tables(
    operator: Operator, filling: Filling, path: str
) -> None:
    filling.make_ready()
    add_subscriber(filling)
    text = operator.open(path).text
    assert text.count("<h1") == 1
    assert '<html lang="en">' in text
    assert text.count("<th ") + text.count("<th>") == text.count('scope="')
    assert text.count("<script") == text.count(OWN_SCRIPT) == 1 + (path == "/ops")
    assert "style=" not in text
    assert " on" + "click" not in text


def test_an_unknown_page_is_404_in_words(operator: Operator) -> None:
    for path in ("/ops/nowhere", "/ops/events/none", "/ops/connections/none", "/ops/a/b/c"):
        answer = operator.open(path)
        assert answer.status_code == 404
        assert answer.mimetype == "text/html"


def test_what_was_done_is_only_said_in_words_of_ours(operator: Operator) -> None:
    assert "hello" not in operator.open("/ops/events", done="hello", done_at=NOW).text
    page_text = operator.read("/ops/events", done="replayed-several", count="<b>", done_at=NOW)
    assert page_text.startswith("0 wait in the inbox again. At 22 Nov 2026, 15:00:00 UTC Events")
