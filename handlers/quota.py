"""News about the whole client, and news that is none of ours."""

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
def something_else(connection: Connection, event: UnhandledEvent, context: Context) -> HandlerResult:
    """Recorded, no action: the message is not about access or reading."""
    return HandlerResult(remark="the message is not about access or reading")


@on_company(RateLimitReached)
def pause(event: RateLimitReached, context: Context) -> tuple[PausePolling, ...]:
    """The quota is used up: background questions wait until it is full again."""
    return (PausePolling(event.expires_at),)


@on_company(RateLimitReset)
def resume(event: RateLimitReset, context: Context) -> tuple[ResumePolling, ...]:
    """The quota is full again."""
    return (ResumePolling(),)
