"""What was told although Codat's API denies it."""

from datetime import timedelta

from handlers.events import LinkStatus
from handlers.milestones import NotificationType
from tests.handlers.support.codat_world import World
from tests.handlers.support.deliveries import ENDED

LATE_AFTER = timedelta(seconds=600)
WAY = timedelta(seconds=30)
"""How much later than it arrived a message is processed here, at most, and some seconds of checking."""


def denied_by_codat(world: World) -> list[str]:
    """What was told although Codat, whose answers may be up to a minute old, would have denied it."""
    denied = []
    for now, note in world.told:
        shown = world.shown_since(now, timedelta(seconds=max(world.lags_s)))
        late = now - note.data["occurred_at"] > LATE_AFTER + WAY
        if note.type is NotificationType.DELETED:
            wrong = None not in shown
        elif note.type in ENDED:
            wrong = LinkStatus(note.type.value.removeprefix("connection.").capitalize()) not in shown
        elif note.type is NotificationType.AUTHORIZATION_FAILED:
            wrong = late and shown <= {None, LinkStatus.LINKED}
        else:
            # News that is not late is told unchecked: what changed after the message was sent is not denied
            # by it, but by the next one.
            wrong = LinkStatus.LINKED not in shown and (late or note.data["occurred_at"] > now - world.skew)
        if wrong:
            denied.append(f"{note.type.value} told while Codat shows {shown}")
    return denied
