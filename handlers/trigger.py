"""Why we asked Codat, for what we found out by asking of ourselves."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trigger:
    """The occasion of a finding.

    ``because`` completes the sentence on the timeline. ``quiet``: what follows is known from now
    on and told to nobody, as after a rebuild. ``repairs``: what it changes is a message that was
    missed, because nothing but a message should have told it.
    """

    because: str
    quiet: bool = False
    repairs: bool = False
