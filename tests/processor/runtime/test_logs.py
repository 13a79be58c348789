"""A log line is one line, says what happened with its fields, and never holds a secret."""

import io
import json
import logging
import warnings
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.runtime import logs

log = logging.getLogger("processor.test")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers = root.handlers[:]
    levels = {name: logging.getLogger(name).level for name in ("", *logs.OUR_LOGGERS)}
    yield
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(capture=False)


def written(*, terminal: bool = False, secrets: tuple[str, ...] = (), level: str = "INFO") -> io.StringIO:
    """The stream that log lines go to from now on."""
    stream = Terminal() if terminal else io.StringIO()
    logs.configure(level, secrets, stream)
    return stream


def test_for_machines_a_line_is_a_json_object() -> None:
    stream = written()
    log.info("Event kept", extra={"event_id": "msg_1", "bytes": 12})
    line = json.loads(stream.getvalue())
    assert line.pop("at").endswith("Z")
    assert line == {
        "level": "INFO",
        "logger": "processor.test",
        "message": "Event kept",
        "event_id": "msg_1",
        "bytes": 12,
    }


def test_for_people_a_line_is_a_sentence_with_key_value_pairs() -> None:
    stream = written(terminal=True)
    log.warning("Event late", extra={"event_id": "msg_1", "reason": "two words", "empty": ""})
    assert stream.getvalue()[13:] == 'WARNING Event late event_id=msg_1 reason="two words" empty=""\n'


@pytest.mark.parametrize("terminal", [True, False])
def test_a_record_is_one_line_whatever_it_holds(terminal: bool) -> None:
    stream = written(terminal=terminal)
    try:
        raise RuntimeError("first\nsecond")
    except RuntimeError:
        log.exception("It\r\nbroke", extra={"detail": "a\nb\u2028c\x1b[31m\ud800"}, stack_info=True)
    text = stream.getvalue()
    assert text.endswith("\n")
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text
    assert "RuntimeError: first" in text
    assert text.encode()


def test_known_secrets_are_masked_everywhere() -> None:
    stream = written(secrets=('hush-"quoted"', "hush-field"))
    try:
        raise RuntimeError('refused: hush-"quoted"')
    except RuntimeError:
        log.exception("Using %s", "hush-field", extra={"given": {"key": 'hush-"quoted"'}})
    assert "hush" not in stream.getvalue()
    assert stream.getvalue().count(logs.MASK) >= 3


def test_a_secret_within_another_is_masked_with_it() -> None:
    stream = written(secrets=("hush-12", "hush-1234"))
    log.info("Got hush-1234")
    assert "34" not in json.loads(stream.getvalue())["message"]


def test_very_short_secrets_do_not_garble_the_lines() -> None:
    stream = written(secrets=("e", ""))
    log.info("Event kept")
    assert "Event kept" in stream.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize(
    "text",
    [
        "secret whsec_hush+/=",
        "Authorization: Basic aHVzaA==hush",
        "authorization=hush",
        "{'Authorization': 'Bearer hush.x-y_z'}",
        '{"Authorization": "hush"}',
        "sent Bearer hushhush",
        "redis://:hush@localhost:6379/0",
        "smtp://user:hush@localhost",
        "GET /connect/hush.hush-hush_x/manage",
        "GET /reminders/hush.en.hush-hush_x",
        "https://link.codat.io/company/1?a=b&otp=hush",
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, terminal: bool) -> None:
    stream = written(terminal=terminal)
    log.info("Seen", extra={"text": text})
    log.info(text)
    assert "hush" not in stream.getvalue()
    assert stream.getvalue().count(logs.MASK) == 2


def test_ordinary_addresses_are_left_alone() -> None:
    stream = written()
    log.info("Asked", extra={"url": "https://api.codat.io/companies?page=1", "at": "12:30"})
    assert "https://api.codat.io/companies?page=1" in stream.getvalue()


def test_libraries_speak_from_warning_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """At DEBUG a library printed the tokens in chat addresses; RQ gives ``rq.worker`` a level of its own."""
    monkeypatch.setattr(logging.getLogger("rq.worker"), "level", logging.INFO)
    monkeypatch.setattr(logging.getLogger("apprise"), "level", logging.DEBUG)
    stream = written(level="DEBUG")
    for name in ("rq.worker", "_granian", "httpx", "apprise", "urllib3.connectionpool", "of.anybody"):
        for level in (logging.DEBUG, logging.INFO):
            logging.getLogger(name).log(level, "chatter of https://hooks.example/services/T0/B0/token")
        logging.getLogger(name).warning("trouble")
    log.debug("ours")
    assert "chatter" not in stream.getvalue()
    assert stream.getvalue().count("trouble") == 6
    assert stream.getvalue().count("ours") == 1


@pytest.mark.parametrize("terminal", [True, False])
def test_what_a_stranger_sends_makes_no_long_line(terminal: bool) -> None:
    """A path of 60,000 letters came into a log line whole, and its redaction stopped the service."""
    stream = written(terminal=terminal)
    long = "x" * 1_000_000
    try:
        raise ValueError(long)
    except ValueError:
        log.exception("Refused %s", long, extra={"path": long, "parts": [long], "ok": 1})
    assert len(stream.getvalue()) < 40_000
    assert "ok" in stream.getvalue()
    assert "ValueError: xxx" in stream.getvalue()


def test_where_a_long_text_is_cut_no_part_of_a_secret_is_left() -> None:
    stream = written(secrets=("hush" * 10,))
    for before in range(logs.MAX_CHARS // 2 - 45, logs.MAX_CHARS // 2 + 5):
        log.info("Seen", extra={"text": "." * before + "hush" * 10 + "." * 5_000})
        log.info("Seen", extra={"text": "." * 5_000 + "hush" * 10 + "." * before})
    assert "hu" not in stream.getvalue()


def test_the_level_is_kept_and_the_last_call_counts() -> None:
    first = written(level="DEBUG")
    second = written(level="ERROR")
    log.warning("Not severe enough")
    log.error("Severe")
    assert first.getvalue() == ""
    assert "Severe" in second.getvalue()
    assert "Not severe" not in second.getvalue()


def test_warnings_become_lines() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        stream = written()
        warnings.warn("old-fashioned", stacklevel=1)
        logging.captureWarnings(capture=False)
    assert "old-fashioned" in stream.getvalue()


@given(st.text(), st.dictionaries(st.text(min_size=1).map("x_{}".format), st.text(), max_size=3))
def test_no_text_breaks_a_line(sentence: str, fields: dict[str, str]) -> None:
    for terminal in (True, False):
        stream = written(terminal=terminal)
        log.info("%s", sentence, extra=fields)
        assert len(stream.getvalue().splitlines()) == 1
