"""Which function turns which event into findings: ``@on(EventType)``.

A handler is pure: it looks at the connection, the event and the context, and
returns what was found. Each event type has exactly one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from handlers.connection import Connection
from handlers.effects import Effect
from handlers.events import Aspect, ConnectionDetails, Event
from handlers.facts import Claim, DataType, Fact


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that decisions depend on; times in seconds.

    ``can_ask``: whether there is an API key. ``patience_s``: how long news waits for
    Codat's word (0: never checked). ``late_after_s``: news older than that is checked.
    """

    can_ask: bool = False
    patience_s: float = 60.0
    late_after_s: float = 600.0

    @property
    def checks(self) -> bool:
        """Whether news is checked before it is told."""
        return self.can_ask and self.patience_s > 0

    @property
    def patience(self) -> timedelta:
        """``patience_s`` as a span."""
        return timedelta(seconds=self.patience_s)


@dataclass(frozen=True, slots=True)
class Context:
    """What a decision may know beside the connection: our time now, the policy, whether the
    company was known before this event, and whether Codat ever showed it to our key.

    ``on_premise``: by platform key whether it is software on the customer's own computer, as far as known.
    """

    now: datetime
    policy: Policy = field(default_factory=Policy)
    company_known: bool = True
    company_shown: bool = True
    on_premise: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A doubt or a claim that Codat should settle; ``reason`` completes "asked because ..."."""

    aspect: Aspect
    reason: str


@dataclass(frozen=True, slots=True)
class HandlerResult:
    """What one event means for one connection.

    ``doubt`` is the sentence for the timeline when the event cannot be taken at its
    word, ``remark`` what else is worth saying; ``settled`` are open claims that this
    event answers; ``look``: the company is looked at now; ``nothing_queued``: when Codat showed first that it
    reads nothing for this authorisation; ``twin`` says that the event tells
    what was known already.
    """

    facts: tuple[Fact, ...] = ()
    data_types: tuple[DataType, ...] = ()
    claims: tuple[Claim, ...] = ()
    settled: tuple[Claim, ...] = ()
    questions: tuple[Doubt, ...] = ()
    details: ConnectionDetails | None = None
    doubt: str | None = None
    remark: str | None = None
    look: bool = False
    nothing_queued: datetime | None = None
    twin: bool = False


NOTHING = HandlerResult()

Handler = Callable[[Connection, Any, Context], HandlerResult]
CompanyRule = Callable[[Any, Context], tuple[Effect, ...]]
H = TypeVar("H", bound=Handler)
A = TypeVar("A", bound=CompanyRule)

_handlers: dict[type[Event], Handler] = {}
_advisers: dict[type[Event], CompanyRule] = {}


def on(*event_types: type[Event]) -> Callable[[H], H]:
    """Register the decorated function as the handler of ``event_types``.

    Raises ``ValueError`` when one of them has a handler already.
    """

    def register(handler: H) -> H:
        for event_type in event_types:
            if event_type in _handlers:
                raise ValueError(f"{event_type.__name__} has a handler already: {_handlers[event_type]!r}")
            _handlers[event_type] = handler
        return handler

    return register


def on_company(*event_types: type[Event]) -> Callable[[A], A]:
    """Register what an event asks for as a whole, whatever connections it touches."""

    def register(adviser: A) -> A:
        for event_type in event_types:
            if event_type in _advisers:
                raise ValueError(f"{event_type.__name__} has an adviser already: {_advisers[event_type]!r}")
            _advisers[event_type] = adviser
        return adviser

    return register


def handler_for(event: Event) -> Handler:
    """The handler for ``event``; the registry covers every event type (a test proves it)."""
    return _handlers[type(event)]


def company_rule_for(event: Event) -> CompanyRule | None:
    """The adviser for ``event``, ``None`` for most events."""
    return _advisers.get(type(event))


def registered() -> frozenset[type[Event]]:
    """The event types that have a handler."""
    return frozenset(_handlers)
