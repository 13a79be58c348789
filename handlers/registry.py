"""The registry of handlers: ``@on(EventType)`` registers the one handler of an event type.

A handler is pure: it takes a connection, an event and a context and returns a ``HandlerResult``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from handlers.connection import Connection
from handlers.effects import Effect
from handlers.events import Aspect, Event
from handlers.facts import Claim, DataType, Fact
from handlers.records import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that decisions depend on; times in seconds.

    ``can_ask``: whether there is an API key. ``patience_s``: how long a milestone waits for its verification
    with Codat (0: no verification). ``late_after_s``: older milestones are verified first.
    """

    can_ask: bool = False
    patience_s: float = 60.0
    late_after_s: float = 600.0

    @property
    def checks(self) -> bool:
        """Whether milestones are verified with Codat before they are told."""
        return self.can_ask and self.patience_s > 0

    @property
    def patience(self) -> timedelta:
        """``patience_s`` as a duration."""
        return timedelta(seconds=self.patience_s)


@dataclass(frozen=True, slots=True)
class Context:
    """What decisions depend on beside the connection and the event.

    ``now`` is our time. ``company_known``: the company was known before this event. ``company_shown``: Codat
    has shown the company to our API key. ``on_premise`` says by platform key whether the platform is software
    on the customer's own computer, as far as known.
    """

    now: datetime
    policy: Policy = field(default_factory=Policy)
    company_known: bool = True
    company_shown: bool = True
    on_premise: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A doubt or a claim that Codat should settle. ``reason`` completes "asked because ..."."""

    aspect: Aspect
    reason: str


@dataclass(frozen=True, slots=True)
class HandlerResult:
    """What one event means for one connection.

    ``doubt`` is the sentence for the timeline if the event contradicts what is known, ``remark`` a further
    sentence. ``settled`` are the open claims that this event answers. ``compare_company``: compare the
    company with Codat now. ``nothing_queued``: when Codat first showed that no read is queued for this
    authorisation. ``twin``: the event repeats a known change.
    """

    facts: tuple[Fact, ...] = ()
    data_types: tuple[DataType, ...] = ()
    claims: tuple[Claim, ...] = ()
    settled: tuple[Claim, ...] = ()
    questions: tuple[Doubt, ...] = ()
    doubt: str | None = None
    remark: str | None = None
    compare_company: bool = False
    nothing_queued: datetime | None = None
    twin: bool = False


NOTHING = HandlerResult()

Handler = Callable[[Connection, Any, Context], HandlerResult]
CompanyRule = Callable[[Any, Context], tuple[Effect, ...]]
H = TypeVar("H", bound=Handler)
R = TypeVar("R", bound=CompanyRule)
F = TypeVar("F")

_handlers: dict[type[Event], Handler] = {}
_company_rules: dict[type[Event], CompanyRule] = {}


def on(*event_types: type[Event]) -> Callable[[H], H]:
    """Register the decorated function as the handler of ``event_types``.

    Raises ``ValueError`` when one of them has a handler already.
    """
    return partial(_register, _handlers, event_types)


def on_company(*event_types: type[Event]) -> Callable[[R], R]:
    """Register the decorated function as the rule that gives the company-wide effects of ``event_types``.

    Raises ``ValueError`` when one of them has a rule already.
    """
    return partial(_register, _company_rules, event_types)


def _register(functions: dict[type[Event], Any], event_types: Sequence[type[Event]], function: F) -> F:
    for event_type in event_types:
        if event_type in functions:
            raise ValueError(f"{event_type.__name__} has a handler already: {functions[event_type]!r}")
        functions[event_type] = function
    return function


def handler_for(event: Event) -> Handler:
    """The handler for ``event``; every event type has one (tested)."""
    return _handlers[type(event)]


def company_rule_for(event: Event) -> CompanyRule | None:
    """The company-wide rule for ``event``; most events have none."""
    return _company_rules.get(type(event))


def registered() -> frozenset[type[Event]]:
    """The event types that have a handler."""
    return frozenset(_handlers)
