"""A little world: Codat changes, sends messages, answers questions; the machine learns of it.

Time is simulated. Nothing here knows how the machine decides: it is given events,
and what it asks for is carried out when it asks for it.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from handlers.connection import Connection
from handlers.effects import Ask, Notify
from handlers.events import Aspect, Event, LinkStatus, QuestionUnanswered, Source
from handlers.machine import Transition, advance, company_effects
from handlers.milestones import Notification
from handlers.registry import Context, Policy
from processor.store.inbox import REPLAYED_AFTER
from tests.handlers.support.codat_history import BASE, Change, Did, status_at
from tests.handlers.support.codat_messages import (
    COMPANY,
    CONNECTION_ID,
    DETAILS,
    connection_answer,
    current_message,
    history_answer,
    legacy_messages,
)
from tests.handlers.support.deliveries import check_ledger
from tests.handlers.support.tape import Tape

MOST_ANSWERS = 400
"""More questions than this for one history are questions without end."""

DELAYS_S = (0.4, 0.0, 2.0, 5.3, 0.1, 31.0, 300.0, 1.0, 1900.0, 8000.0, 100_000.0)
"""How long a message of the current generation takes: it is tried for 28 hours."""

REPLAY_WAITS_S = (0.0, 90.0, 2000.0, 20_000.0)
"""How long a replay waits behind new messages."""

LAGS_S = (0.0, 5.0, 59.9, 1.5, 30.0)
"""How old the state is that Codat's API shows, look by look."""

SKEWS_S = (0.0, 300.0, -300.0, 41.0, -7.5)
"""How far our clock is ahead of Codat's."""

LEGACY_DELAYS_S = (0.3, 1.0, 4.0, 31.0, 0.0, 119.0)
"""A legacy alert is given up after about two minutes."""


class Api(StrEnum):
    """How Codat's API behaves."""

    NO_KEY = "no key"
    ANSWERS = "answers"
    SILENT = "never answers"
    LATE = "answers after the deadline"
    MOODY = "answers now and then"


@dataclass
class Delivered:
    """One step of the machine, as it happened."""

    now: datetime
    event: Event
    transition: Transition


@dataclass
class _Pending:
    not_before: datetime
    deadline: datetime


class World:
    """Delivers what is on the way, in the order of arrival, and carries out what is asked for."""

    def __init__(
        self,
        changes: Sequence[Change],
        policy: Policy,
        api: Api,
        tape: Tape,
        *,
        lags_s: Sequence[float] = (0.0,),
        skew: timedelta = timedelta(),
    ) -> None:
        """``lags_s``: how old an answer may be. ``skew``: how far our clock, in which this world lives, is
        ahead of Codat's, in which ``changes`` are given."""
        self.changes = changes
        self.policy = policy
        self.api = api
        self.tape = tape
        self.lags_s = lags_s
        self.skew = skew
        self.connection = Connection(id=CONNECTION_ID)
        self.steps: list[Delivered] = []
        self.told: list[tuple[datetime, Notification]] = []
        self.answers = 0
        self.alerts_overtake = False
        self._queue: list[tuple[datetime, int, Event | Aspect | Ask]] = []
        self._count = 0
        self._pending: dict[Aspect, _Pending] = {}

    @property
    def asks(self) -> bool:
        """Whether anybody looks at Codat."""
        return self.answers > 0

    @property
    def has_close_changes(self) -> bool:
        """Whether two changes of access lie closer than what is seen can tell them apart.

        Within two seconds of a change what was seen is left out, and Codat's clock shows whole
        seconds: what was told on a look alone may then be told again when the messages come.
        """
        return self._has_changes_within(3.2)

    @property
    def has_changes_within_a_minute(self) -> bool:
        """Whether a look may come within a minute after one change of access, and after the next."""
        return self._has_changes_within(62)

    def _has_changes_within(self, seconds: float) -> bool:
        times = [change.at for change in self.changes if not change.types]
        return any(after - before < timedelta(seconds=seconds) for before, after in pairwise(times))

    def post(self, at: datetime, event: Event) -> None:
        """Let ``event`` be processed at ``at``."""
        self._push(at, event)

    def _push(self, at: datetime, item: Event | Aspect | Ask) -> None:
        self._count += 1
        heapq.heappush(self._queue, (at, self._count, item))

    def post_current(self, *, loses: bool = False) -> None:
        """Send every change through the current generation, some twice; ``loses``: some never."""
        tape = self.tape
        for position, change in enumerate(self.changes):
            if loses and tape.once_in(3):
                continue
            arrival = self._ours(change.at) + timedelta(seconds=tape.choice(DELAYS_S))
            message = current_message(change, f"current-{position}", arrival, by_company=tape.once_in(4))
            self.post(self._processed_at(arrival) + self._wait_of(message), message)
            if tape.once_in(4):
                again = arrival + timedelta(seconds=tape.choice(DELAYS_S))
                fresh = current_message(change, f"twin-{position}", again)
                self.post(again + self._wait_of(fresh), tape.choice((message, fresh)))

    def post_legacy(self, *, loses: bool = False) -> None:
        """Send every change through the legacy generation, where it has a word for it."""
        tape = self.tape
        for position, change in enumerate(self.changes):
            if loses and tape.once_in(3):
                continue
            arrival = self._ours(change.at) + timedelta(seconds=tape.choice(LEGACY_DELAYS_S))
            whole_company = tape.once_in(2)
            later = [change.at for change in self.changes[position + 1 :] if change.did is not Did.READ_MORE]
            self.alerts_overtake = self.alerts_overtake or bool(later and self._ours(later[0]) <= arrival)
            for message in legacy_messages(
                self.changes, position, f"legacy-{position}", arrival, whole_company=whole_company
            ):
                self.post(self._processed_at(arrival), message)
                if tape.once_in(6):
                    self.post(arrival + timedelta(seconds=3), message)

    def post_legacy_promptly(self) -> None:
        """Send every change through the legacy generation, each a second or more before the next change.

        Looks at Codat within one second have the same time, and their order would be lost.
        """
        ends = [change.at for change in self.changes[1:]] + [self.changes[-1].at + timedelta(days=1)]
        for position, (change, following) in enumerate(zip(self.changes, ends, strict=True)):
            share = self.tape.choice((0.1, 0.3, 0.5, 0.7))
            arrival = self._ours(change.at) + min(timedelta(seconds=119), following - change.at) * share
            messages = legacy_messages(self.changes, position, f"legacy-{position}", arrival)
            for message in messages:
                self.post(arrival, message)

    def post_looks(self) -> None:
        """Let somebody look at Codat in between, as a reconciler does."""
        if self.api is Api.NO_KEY:
            return
        for number in range(self.tape.number(3)):
            change = self.tape.choice(self.changes)
            delay = timedelta(seconds=self.tape.choice(DELAYS_S), microseconds=number)  # no two at one moment
            at = self._ours(change.at) + delay
            self.post(at, self._answer(Aspect.CONNECTION, at))

    def _processed_at(self, arrival: datetime) -> datetime:
        """Mostly at once; after a crash, or behind others, a little later."""
        return arrival + timedelta(seconds=self.tape.choice((0, 0, 0, 0, 0, 6, 0, 20)))

    def _wait_of(self, message: Event) -> timedelta:
        """How long new messages overtake this one: what is older than an hour waits in a lane of its own."""
        is_replay = message.received_at - message.at > REPLAYED_AFTER
        return timedelta(seconds=self.tape.choice(REPLAY_WAITS_S) if is_replay else 0)

    def _answer(self, aspect: Aspect, at: datetime) -> Event:
        self.answers += 1
        answer = connection_answer if aspect is Aspect.CONNECTION else history_answer
        return answer(self.changes, at - self.skew, at, f"answer-{self.answers}", self._lag())

    def _lag(self) -> timedelta:
        """How old the state is that the present look shows."""
        return timedelta(seconds=self.tape.choice(self.lags_s))

    def _ours(self, at: datetime) -> datetime:
        """The moment of Codat's clock by ours."""
        return at + self.skew

    def shown(self, now: datetime) -> LinkStatus | None:
        """How the connection truly stands at ``now`` of our clock."""
        return status_at(self.changes, now - self.skew)

    def shown_since(self, now: datetime, at_least: timedelta) -> set[LinkStatus | None]:
        """How it stood at any moment from so long before ``now`` on, as a look may show it."""
        begin = now - self.skew - at_least
        moments = (change.at for change in self.changes if begin < change.at <= now - self.skew)
        return {status_at(self.changes, moment) for moment in (begin, *moments)}

    def run(self) -> None:
        """Go on until nothing is on the way and nothing is asked any more."""
        while self._queue:
            at, _, item = heapq.heappop(self._queue)
            if isinstance(item, Aspect):
                self._put_question(at, item)
            elif isinstance(item, Ask):
                raise TypeError("questions are kept by their aspect")
            else:
                self.deliver(at, item)

    def deliver(self, now: datetime, event: Event) -> None:
        """One step: everything that follows is kept, or asked, in simulated time."""
        known = bool(self.steps) or self.tape.number(2) == 0
        context = Context(now=now, policy=self.policy, company_known=known)
        before = self.connection
        transition = advance(before, event, context)
        if self.tape.once_in(8):
            # A crash before the commit: the step is done again from what was stored.
            assert advance(before, event, context) == transition
        check_ledger(before, transition.connection, transition.effects)
        self.connection = transition.connection
        self.steps.append(Delivered(now, event, transition))
        for effect in (*transition.effects, *company_effects(event, context)):
            if isinstance(effect, Notify):
                self.told.append((now, effect.notification))
            elif isinstance(effect, Ask):
                self._ask(now, effect)

    def _ask(self, now: datetime, ask: Ask) -> None:
        assert self.policy.can_ask, "asked although there is nobody to ask"
        assert ask.company_id == COMPANY.id
        assert ask.connection_id in (CONNECTION_ID, None)
        wanted = _Pending(max(ask.not_before, now), max(ask.deadline, now))
        pending = self._pending.get(ask.aspect)
        if pending:
            wanted.not_before = min(wanted.not_before, pending.not_before)
            wanted.deadline = min(wanted.deadline, pending.deadline)
        if pending == wanted:
            return
        self._pending[ask.aspect] = wanted
        self._push(wanted.not_before, ask.aspect)
        self._push(wanted.deadline, ask.aspect)

    def _put_question(self, now: datetime, aspect: Aspect) -> None:
        pending = self._pending.get(aspect)
        if pending is None or now < pending.not_before:
            return  # answered meanwhile
        answers = self.api is Api.ANSWERS or (self.api is Api.MOODY and self.tape.once_in(3))
        if answers:
            del self._pending[aspect]
            event = self._answer(aspect, now)
        elif now < pending.deadline:
            return
        else:
            del self._pending[aspect]
            if self.api is Api.LATE:
                late = now + timedelta(seconds=20)
                self.post(late, self._answer(aspect, late))
            self.answers += 1
            event = QuestionUnanswered(
                event_id=f"unanswered-{self.answers}",
                event_type="codat.unanswered",
                source=Source.CODAT_API,
                received_at=now,
                at=now,
                company=COMPANY,
                connection=DETAILS,
                aspect=aspect,
            )
        assert self.answers < MOST_ANSWERS, "questions without end"
        self.deliver(now, event)

    def sweep(self) -> LinkStatus | None:
        """Look at Codat long after everything, and say what it showed."""
        last = max([self._ours(self.changes[-1].at), *(step.now for step in self.steps)])
        at = last + timedelta(seconds=90)
        self.deliver(at, self._answer(Aspect.CONNECTION, at))
        self.run()
        return self.shown(at)

    def story(self) -> str:
        """What happened, for the message of a failed assertion."""

        def clock(at: datetime) -> str:
            return f"{(at - BASE).total_seconds():>9.1f}s"

        lines = [f"policy {self.policy}; Codat's API {self.api}; our clock {self.skew} ahead", "Codat:"]
        lines += [f"  {clock(change.at)} {change.did} {dict(change.types) or ''}" for change in self.changes]
        lines.append("Delivered (at, event, Codat's time):")
        for step in self.steps:
            entry, event = step.transition.entry, step.event
            extra = " ".join(
                str(getattr(event, name))
                for name in ("old", "new", "status", "reason")
                if hasattr(event, name)
            )
            told = [
                f"TELL {effect.notification.type}" if isinstance(effect, Notify) else f"ask {effect.aspect}"
                for effect in step.transition.effects
                if isinstance(effect, Notify | Ask)
            ]
            lines.append(
                f"  {clock(step.now)} {event.event_id} {type(event).__name__} {extra} at {clock(event.at)}: "
                f"{entry.before} → {entry.after}, {entry.outcome}: {entry.reason} {told}"
            )
        facts = [
            f"{fact.kind} {fact.status or ''} {clock(fact.at).strip()}" for fact in self.connection.facts
        ]
        lines.append(f"Facts: {facts}")
        return "\n".join(lines)
