"""Handlers of events about the client's quota, and of events without an action."""

from handlers.connection import Connection
from handlers.effects import PausePolling, ResumePolling
from handlers.events import RateLimitReached, RateLimitReset, UnhandledEvent
from handlers.registry import NOTHING, Context, HandlerResult, on, on_company


@on(RateLimitReached, RateLimitReset)
def quota_changed(
    connection: Connection, event: RateLimitReached | RateLimitReset, context: Context
) -> HandlerResult:
    """The quota belongs to the client: nothing follows for a connection."""
    return NOTHING


@on(UnhandledEvent)
def unhandled_event(connection: Connection, event: UnhandledEvent, context: Context) -> HandlerResult:
    """It is not about access or reading: nothing follows."""
    return HandlerResult(remark="not about access or reading")


@on_company(RateLimitReached)
def pause_polling(event: RateLimitReached, context: Context) -> tuple[PausePolling, ...]:
    """The quota is used up: pause background polling until it is full again."""
    return (PausePolling(event.expires_at),)


@on_company(RateLimitReset)
def resume_polling(event: RateLimitReset, context: Context) -> tuple[ResumePolling, ...]:
    """The quota is full again: resume background polling."""
    return (ResumePolling(),)
