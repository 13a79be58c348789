"""The lanes: what was decided is divided among those who want it, taken when it is due, and settled.

One lane for each subscriber, one for e-mail, one for the operators' chat; a test message goes beside its
subscriber's lane. Who takes a delivery holds a lease: were it to die, the lease ends within seconds and
somebody else makes the attempt, under the same id.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from redis import Redis

from processor.clock import from_ms, to_ms, utc_now
from processor.delivery import retry_schedule
from processor.delivery.lane import (
    EMAIL,
    OPERATORS,
    TEST,
    AttemptVerdict,
    Lane,
    Lease,
    Mode,
    common_keys,
    guard_of,
)
from processor.delivery.scripts import register
from processor.delivery.subscribers import Subscriber, Subscribers
from processor.store import keys, unreadable
from processor.store.decoding import texts

LEASE = timedelta(seconds=6)
RENEW_S = 1.5
"""How often leases are renewed, in seconds; several times in each."""

DIVIDE = 100
ATTEMPTS_KEPT = 30


class Lanes:
    """Divides, hands out and settles deliveries. ``token`` names this process in its leases.

    ``email`` says whether there is a mail server, ``operator_types`` which notifications go to the
    operators (none where they have no address). Raises ``redis.RedisError``.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        subscribers: Subscribers,
        email: bool = False,
        operators: bool = False,
        operator_types: Collection[str] = (),
        token: str = "-",  # noqa: S107 - a name, no secret
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._client = client
        self._subscribers = subscribers
        self._email = email
        self._operators = operators
        self._operator_types = frozenset(operator_types)
        self._token = token
        self._clock = clock
        names = ("divide", "claim", "settle", "renew", "release")
        self._divide, self._claim, self._settle, self._renew, self._release = (
            register(client, name) for name in names
        )

    # Dividing

    def divide(self) -> int:
        """Put what was decided into the lanes of those who want it; how many notifications."""
        divided = 0
        while ids := texts(self._client.lrange(keys.fan_out(), 0, DIVIDE - 1)):
            done = self._divide_these(ids)
            divided += done
            if not done:
                break
        return divided

    def _divide_these(self, ids: Sequence[str]) -> int:
        with self._client.pipeline(transaction=False) as pipe:
            for id_ in ids:
                pipe.hget(keys.notification(id_), "body")
            bodies = [
                unreadable.read(self._client, "notification", id_, partial(json.loads, body))
                if body
                else None
                for id_, body in zip(ids, pipe.execute(), strict=True)
            ]
        contacts = self._with_contact(body["data"]["company_id"] for body in bodies if body)
        takers = self._collecting()
        now_ms = to_ms(self._clock())
        with self._client.pipeline(transaction=False) as pipe:
            for id_, body in zip(ids, bodies, strict=True):
                lanes = self._lanes_for(body, takers, contacts) if body else {}
                names = [key for lane, guard in lanes.items() for key in (keys.lane(lane), guard)]
                self._divide(
                    keys=[*common_keys(id_), keys.fan_out(), *names], args=[id_, now_ms, *lanes], client=pipe
                )
            return sum(pipe.execute())

    def _collecting(self) -> list[Subscriber]:
        """The subscribers in whose lanes new notifications go."""
        found = self._subscribers.all()
        with self._client.pipeline(transaction=False) as pipe:
            for one in found:
                pipe.hget(keys.lane_state(one.id), "mode")
            modes = pipe.execute() if found else []
        return [
            one
            for one, mode in zip(found, modes, strict=True)
            if mode is None or Mode(mode.decode()).collects
        ]

    def _lanes_for(
        self, body: Mapping[str, Any], takers: Iterable[Subscriber], contacts: Collection[str]
    ) -> dict[str, str]:
        """The lanes of a notification, each with the key without which it would be pointless."""
        found = {one.id: keys.subscriber(one.id) for one in takers if one.wants(body["type"])}
        company_id = body["data"]["company_id"]
        # What ended as it was set up to leaves the reader nothing to do.
        if company_id in contacts and not body["data"].get("expected"):
            found[EMAIL] = keys.company(company_id)
        if self._operators and body["type"] in self._operator_types:
            found[OPERATORS] = keys.outbox()
        return found

    def _with_contact(self, company_ids: Iterable[str | None]) -> set[str]:
        wanted = list(dict.fromkeys(one for one in company_ids if one))
        if not self._email or not wanted:
            return set()
        with self._client.pipeline(transaction=False) as pipe:
            for company_id in wanted:
                pipe.hget(keys.company(company_id), "contact_email")
            return {id_ for id_, contact in zip(wanted, pipe.execute(), strict=True) if contact}

    # Taking

    def all(self) -> list[Lane]:
        """Every lane that there may be something in."""
        lanes = [Lane(EMAIL)] * self._email + [Lane(OPERATORS)] * self._operators
        for one in self._subscribers.all():
            lanes += [Lane(one.id, one), Lane(one.id + TEST, one)]
        return lanes

    def take(self, most: Callable[[Lane], int]) -> tuple[list[Lease], datetime | None]:
        """Deliveries that are due, leased to us, and when to look again (``None``: when woken).

        ``most`` says how many may be under way in a lane.
        """
        now_ms = to_ms(self._clock())
        lanes = self.all()
        with self._client.pipeline(transaction=False) as pipe:
            for lane in lanes:
                pipe.zcount(keys.lane(lane.id), "-inf", now_ms)
                pipe.zrangebyscore(keys.lane(lane.id), f"({now_ms}", "+inf", start=0, num=1, withscores=True)
                pipe.hmget(keys.lane_state(lane.id), "mode", "probe_at")
            rows = pipe.execute() if lanes else []
        due: list[Lane] = []
        later: list[float] = []
        for place, lane in enumerate(lanes):
            count, first, (mode, probe_at) = rows[3 * place : 3 * place + 3]
            if mode and mode.decode() not in (Mode.ACTIVE, Mode.SLOW):
                continue
            later += [score for _, score in first]
            if not count:
                continue
            if mode == b"slow" and int(float(probe_at or 0)) > now_ms:
                later.append(float(probe_at))
            elif most(lane) > 0:
                due.append(lane)
        claimed = self._claim_from(due, most, now_ms)
        return claimed, from_ms(min(later)) if later else None

    def _claim_from(self, due: Sequence[Lane], most: Callable[[Lane], int], now_ms: int) -> list[Lease]:
        if not due:
            return []
        lease_ms = now_ms + LEASE // timedelta(milliseconds=1)
        with self._client.pipeline(transaction=False) as pipe:
            for lane in due:
                self._claim(
                    keys=[keys.lane(lane.id), keys.lane_flight(lane.id), keys.lane_state(lane.id)],
                    args=[
                        now_ms,
                        most(lane),
                        lease_ms,
                        self._token,
                        lane.id,
                        int(lane.ordered),
                        *_prefixes(),
                    ],
                    client=pipe,
                )
            answers = pipe.execute()
        taken = [
            (lane, id_.decode(), int(tries))
            for lane, flat in zip(due, answers, strict=True)
            for id_, tries in zip(flat[::2], flat[1::2], strict=True)
        ]
        with self._client.pipeline(transaction=False) as pipe:
            for _, id_, _ in taken:
                pipe.hmget(keys.notification(id_), "body", "connection_id")
            rows = pipe.execute() if taken else []
        found = []
        for (lane, id_, tries), (body, connection_id) in zip(taken, rows, strict=True):
            if body is None:
                self._drop(lane, id_)
            else:
                found.append(
                    Lease(lane, id_, (connection_id or b"").decode(), body.decode(), tries, self._token)
                )
        return found

    def _drop(self, lane: Lane, notification_id: str) -> None:
        """Forget in a lane a notification that was erased."""
        with self._client.pipeline(transaction=True) as pipe:
            pipe.zrem(keys.lane(lane.id), notification_id)
            pipe.zrem(keys.lane_flight(lane.id), f"{notification_id} {self._token}")
            pipe.execute()

    # Keeping and settling

    def renew(self, flying: Mapping[str, Sequence[str]]) -> None:
        """Keep the leases of what is under way: notification ids by lane."""
        until_ms = to_ms(self._clock() + LEASE)
        with self._client.pipeline(transaction=False) as pipe:
            for lane_id, ids in flying.items():
                self._renew(
                    keys=[keys.lane(lane_id), keys.lane_flight(lane_id)],
                    args=[until_ms, self._token, *ids],
                    client=pipe,
                )
            pipe.execute()

    def release(self, claimed: Lease) -> None:
        """Give back what was not attempted to the end."""
        lane_id = claimed.lane.id
        self._release(
            keys=[keys.lane(lane_id), keys.lane_flight(lane_id)],
            args=[claimed.notification_id, self._token, to_ms(self._clock())],
        )

    def settle(
        self,
        claimed: Lease,
        verdict: AttemptVerdict,
        attempt: Mapping[str, Any],
        *,
        again_at: datetime | None = None,
        counts: bool = True,
        asked: bool = False,
    ) -> None:
        """Write down an attempt and what follows.

        ``counts``: a failure speaks against the lane; ``asked``: the receiver named the time of the next one.
        """
        lane_id, id_ = claimed.lane.id, claimed.notification_id
        now = self._clock()
        self._settle(
            keys=[
                *common_keys(id_),
                keys.lane(lane_id),
                keys.lane_flight(lane_id),
                keys.lane_state(lane_id),
                keys.notification(id_),
                keys.outbox_of(claimed.connection_id),
                guard_of(lane_id, id_),
            ],
            args=[
                id_,
                lane_id,
                self._token,
                to_ms(now),
                verdict.value,
                to_ms(again_at or now),
                json.dumps(attempt),
                ATTEMPTS_KEPT,
                int(counts and not claimed.lane.is_test),
                retry_schedule.SLOW_AFTER,
                _ms(retry_schedule.PROBE_PAUSE),
                _ms(retry_schedule.LONGEST_PROBE_PAUSE),
                _ms(retry_schedule.PAUSE_AFTER),
                keys.deliveries(""),
                int(asked),
            ],
        )


def _prefixes() -> tuple[str, str, str]:
    return keys.deliveries(""), keys.notification(""), keys.outbox_of("")


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
