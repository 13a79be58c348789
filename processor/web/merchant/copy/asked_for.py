"""Texts about what is asked for: the progress of the whole, and each of its steps. Pure."""

from dataclasses import dataclass

from processor.journey.search import GROUPS
from processor.journey.standing import AskedForStanding, Standing
from processor.languages.current import gettext, mark
from processor.settings.asked_for import Need

ALL_DONE = mark("Everything that is needed is connected.")
GO_ON = mark("You can stop at any time and go on later with the same link.")


@dataclass(frozen=True, slots=True)
class AskedStep:
    """One step; ``badge`` and ``tone`` say how it stands.

    ``is_open``: its platforms can be chosen; ``can_skip`` and ``is_skipped``: it can be, or was, left for
    later.
    """

    source_type: str
    label: str
    badge: str
    tone: str
    is_open: bool
    can_skip: bool
    is_skipped: bool


@dataclass(frozen=True, slots=True)
class AskedProgress:
    """The whole: ``done`` of ``of`` steps, as ``title`` says; ``next_step`` is the first open one."""

    title: str
    note: str
    done: int
    of: int
    steps: tuple[AskedStep, ...]
    next_step: AskedStep | None


def progress_of(standing: Standing) -> AskedProgress | None:
    """The progress for a page; ``None`` where nothing is asked for in particular."""
    if not standing.steps:
        return None
    steps = tuple(map(_step, standing.steps))
    title = gettext("{done} of {of} connected")
    return AskedProgress(
        title=title.replace("{done}", str(standing.done)).replace("{of}", str(standing.of)),
        note=gettext(GO_ON if standing.missing else ALL_DONE),
        done=standing.done,
        of=standing.of,
        steps=steps,
        next_step=next((step for step in steps if step.is_open), None),
    )


def _step(step: AskedForStanding) -> AskedStep:
    if step.is_met:
        badge, tone = mark("Connected"), "good"
    elif step.is_skipped:
        badge, tone = mark("Left for later"), "calm"
    elif step.need is Need.OPTIONAL:
        badge, tone = mark("Optional"), "calm"
    else:
        badge, tone = mark("Needed"), "wait"
    is_optional = step.need is Need.OPTIONAL
    return AskedStep(
        source_type=step.source_type,
        label=gettext(GROUPS[step.source_type]),
        badge=gettext(badge),
        tone=tone,
        is_open=step.is_open,
        can_skip=is_optional and step.is_open,
        is_skipped=step.is_skipped and not step.is_met,
    )
