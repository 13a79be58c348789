"""Every event has exactly one handler, and none of them reaches outside."""

import ast
import sys
from pathlib import Path

import pytest

import handlers
from handlers import events, machine
from handlers.connection import Connection
from handlers.effects import PausePolling, ResumePolling
from handlers.events import (
    CompanyCreated,
    CompanyWideEvent,
    ConnectionEvent,
    ConnectionLinked,
    Event,
    OptionalConnectionEvent,
    RateLimitReached,
    RateLimitReset,
    Source,
)
from handlers.machine import advance, company_effects
from handlers.registry import NOTHING, Context, on, on_company, registered
from tests.handlers.support.story import at

PACKAGE = Path(handlers.__file__).parent
MODULES = sorted(PACKAGE.glob("**/*.py"))


def _all_event_types() -> set[type[Event]]:
    return {
        kind
        for kind in vars(events).values()
        if isinstance(kind, type)
        and issubclass(kind, Event)
        and kind not in (Event, ConnectionEvent, OptionalConnectionEvent, CompanyWideEvent)
    }


def test_every_event_type_has_a_handler() -> None:
    assert machine.SUBJECTS
    assert registered() == _all_event_types()


def test_a_second_handler_for_an_event_is_refused() -> None:
    with pytest.raises(ValueError, match="ConnectionLinked"):
        on(ConnectionLinked)(lambda *_: NOTHING)


def test_a_second_adviser_for_an_event_is_refused() -> None:
    with pytest.raises(ValueError, match="RateLimitReached"):
        on_company(RateLimitReached)(lambda *_: ())


def _about_the_client(kind: type[Event], **fields: object) -> Event:
    return kind(
        event_id="e",
        event_type="client.rateLimit",
        source=Source.CURRENT,
        received_at=at(0),
        at=at(0),
        **fields,  # type: ignore[arg-type]
    )


def test_a_used_up_quota_pauses_polling_until_it_is_full_again() -> None:
    context = Context(now=at(0))
    assert company_effects(_about_the_client(RateLimitReached, expires_at=at(99)), context) == (
        PausePolling(at(99)),
    )
    assert company_effects(_about_the_client(RateLimitReached), context) == (PausePolling(None),)
    assert company_effects(_about_the_client(RateLimitReset), context) == (ResumePolling(),)


def test_most_events_advise_nothing() -> None:
    assert company_effects(_about_the_client(CompanyCreated), Context(now=at(0))) == ()


@pytest.mark.parametrize("kind", [RateLimitReached, RateLimitReset, CompanyCreated])
def test_news_about_the_client_or_a_company_changes_no_connection(kind: type[Event]) -> None:
    connection = Connection(id="c")
    transition = advance(connection, _about_the_client(kind), Context(now=at(0)))
    assert (transition.connection, transition.effects) == (connection, ())


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_decisions_import_nothing_but_the_standard_library(path: Path) -> None:
    outside = {
        "os",
        "socket",
        "random",
        "secrets",
        "time",
        "uuid",
        "subprocess",
        "urllib",
        "asyncio",
        "logging",
    }
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno} imports relatively"
            names = [node.module or ""]
        for name in names:
            top = name.split(".")[0]
            assert top == "handlers" or top in sys.stdlib_module_names, f"{path.name}: {name}"
            assert top not in outside, f"{path.name}: {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_decisions_ask_no_clock(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in ("now", "utcnow", "today"), f"{path.name}:{node.lineno}"
