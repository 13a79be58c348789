"""Plays a story: makes it happen at the simulator, and watches what the product tells of it."""

import contextlib
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import itemgetter

import httpx

from processor.simulator.chaos import Chaos
from processor.simulator.clients import ProductClient, SimulatorClient
from processor.simulator.platforms import JsonObject
from processor.simulator.stories import PLATFORM_KEY, SYNC_COMPLETED, Change, Expect, Release, Story

Say = Callable[[str], None]

POLL_S = 0.05
QUIET_S = 1.0
SETTLE_S = 20.0
_CALM = {name: value for name, value in Chaos().as_json().items() if name != "seed"}


class _StoryFailed(Exception):
    """The story did not go as it has to; the text says why."""


def play(
    story: Story,
    simulator: SimulatorClient,
    product: ProductClient,
    say: Say = print,
    timeout_s: float = 60.0,
    quiet_s: float = QUIET_S,
    settle_s: float = SETTLE_S,
) -> bool:
    """Whether everything that the story expects was told within ``timeout_s``, and nothing besides it.

    After the last step the product has ``settle_s`` seconds to deal with every message, ``quiet_s`` to tell
    too much, and ``settle_s`` to show the right state. The simulator's settings are put back afterwards. What
    cannot be reached disappoints, it raises nothing.
    """
    performance = _Performance(
        story, simulator, product, say, time.monotonic() + timeout_s, quiet_s, settle_s
    )
    try:
        performance.run()
    except _StoryFailed as disappointed:
        say(f"{story.name}: not as expected: {disappointed}")
        return False
    except httpx.HTTPError as error:
        say(f"{story.name}: not as expected: the simulator does not answer as it should ({error})")
        return False
    say(f"{story.name}: as expected")
    return True


@dataclass(slots=True)
class _Performance:
    story: Story
    simulator: SimulatorClient
    product: ProductClient
    say: Say
    deadline: float
    quiet_s: float
    settle_s: float
    connection_id: str = ""
    awaited: Counter[str] = field(default_factory=Counter)

    def run(self) -> None:
        story = self.story
        self.say(f"{story.name}: {story.summary}")
        settings, chaos = self.simulator.settings(), self.simulator.chaos()
        try:
            self.simulator.change_settings(generations=sorted(story.generations))
            self.simulator.disturb(**{**_CALM, **story.chaos})
            self._perform()
        finally:
            self.simulator.disturb(**chaos)
            self.simulator.change_settings(**settings)

    def _perform(self) -> None:
        company_id = self.simulator.create_company(f"Story {self.story.name}")
        self.connection_id = self.simulator.connect(company_id, PLATFORM_KEY)
        self.say(f"  Codat: connection {self.connection_id} is created")
        for step in self.story.steps:
            match step:
                case Change():
                    self.say(f"  Codat: {step.description}")
                    self.simulator.change(self.connection_id, step.name, **step.options)
                case Release():
                    released = self.simulator.release()
                    self.say(f"  Codat: sends {released} messages that were held back")
                case Expect():
                    self.awaited[step.type] += 1
                    self._wait(f"it tells {step.type}", self._has_told_what_was_awaited)
                    self.say(f"  told:  {step.type}")
        self._wait("it has dealt with every message", self._is_quiet, self.settle_s)
        self._stay_quiet()
        self._wait("it is as expected in the end", lambda: not self._differences(), self.settle_s)
        self.say(f"  state: {self.story.state}")

    def _wait(self, what: str, holds: Callable[[], bool], at_most_s: float = math.inf) -> None:
        trouble, deadline = "", min(self.deadline, time.monotonic() + at_most_s)
        while True:
            try:
                if holds():
                    return
                trouble = ""
            except httpx.HTTPError as error:
                trouble = f" ({error})"
            if time.monotonic() > deadline:
                raise _StoryFailed(f"waited in vain until {what}{trouble}{self._shown()}")
            time.sleep(POLL_S)

    def _shown(self) -> str:
        try:
            return "".join(f"; {difference}" for difference in self._differences())
        except httpx.HTTPError:
            return ""

    def _has_told_what_was_awaited(self) -> bool:
        return self.awaited <= _types(self.product.notifications(self.connection_id))

    def _is_quiet(self) -> bool:
        return self.simulator.pending() == 0 and not self.product.has_pending_events()

    def _stay_quiet(self) -> None:
        """Watch for what is told too much; what is missing was waited for before."""
        end = time.monotonic() + self.quiet_s
        while time.monotonic() < end:
            with contextlib.suppress(httpx.HTTPError):  # a busy machine; the last look is that of the end
                if faults := self._told_too_much(self.product.notifications(self.connection_id)):
                    raise _StoryFailed("; ".join(faults))
            time.sleep(POLL_S)

    def _told_too_much(self, notifications: list[JsonObject]) -> list[str]:
        surplus = _types(notifications) - Counter(self.story.expected)
        differences = [f"told too much: {type_}" for type_ in surplus.elements()]
        milestones = Counter((row["type"], row["data"]["authorization"]) for row in notifications)
        differences += [f"told twice: {type_}" for (type_, _), times in milestones.items() if times > 1]
        ids = Counter(row["id"] for row in notifications)
        return differences + [f"listed twice: {id_}" for id_, times in ids.items() if times > 1]

    def _differences(self) -> list[str]:
        notifications = self.product.notifications(self.connection_id)
        differences = self._told_too_much(notifications)
        missing = Counter(self.story.expected) - _types(notifications)
        differences += [f"not told: {type_}" for type_ in missing.elements()]
        connection = self.product.connection(self.connection_id) or {}
        wanted = {"state": self.story.state, "authorization": self.story.authorization}
        for name, value in wanted.items():
            if value is not None and connection.get(name) != value:
                differences.append(f"{name} is {connection.get(name)}, not {value}")
        return differences + self._wrong_data_types(notifications)

    def _wrong_data_types(self, notifications: list[JsonObject]) -> list[str]:
        completed = [row["data"] for row in notifications if row["type"] == SYNC_COMPLETED]
        if not completed:
            return []
        newest = max(completed, key=itemgetter("authorization"))
        told, wanted = set(newest["data_types"]["failed"]), self.story.failed
        return [] if told == wanted else [f"failed data types are {sorted(told)}, not {sorted(wanted)}"]


def _types(notifications: list[JsonObject]) -> Counter[str]:
    return Counter(row["type"] for row in notifications)
