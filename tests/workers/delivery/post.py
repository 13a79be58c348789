"""What a delivering process works with; time moves only where a test moves it."""

import itertools
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from handlers.milestones import Notification, NotificationType
from processor.conditions import evaluation
from processor.conditions.model import Condition
from processor.delivery.http_sender import HttpSender
from processor.delivery.lane import Mode
from processor.delivery.lane_admin import LaneAdmin
from processor.delivery.lanes import Lanes
from processor.delivery.ssrf import Resolver, resolve
from processor.delivery.subscribers import Subscriber, Subscribers
from processor.settings.definitions import load
from processor.store import keys, outbox
from processor.store.queries import Reader
from tests.support.serving import ENVIRON
from tests.support.workbench import Moving
from tests.workers.delivery.receiving import WAIT_S
from workers.delivery.channels.channel import Channel
from workers.delivery.channels.webhook import Webhook
from workers.delivery.dispatcher import WEBHOOK, Dispatcher


class Post:
    """Lanes, subscribers and couriers on one engine."""

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        email: bool = False,
        operators: bool = False,
        clock: Moving | None = None,
    ) -> None:
        self.client = client
        self.clock = clock or Moving()
        self.subscribers = Subscribers(client, allow_private=True, clock=self.clock)
        self.control = LaneAdmin(client, clock=self.clock)
        self.reader = Reader(client, shards=1)
        self.email, self.operators = email, operators
        self._numbers = itertools.count(1)

    def lanes(self, token: str = "me") -> Lanes:
        """The lanes as the process ``token`` sees them."""
        return Lanes(
            self.client,
            subscribers=self.subscribers,
            email=self.email,
            operators=self.operators,
            operator_types=(NotificationType.DEAUTHORIZED.value,),
            token=token,
            clock=self.clock,
        )

    def dispatcher(
        self,
        *,
        token: str = "me",
        channels: Mapping[str, Channel] | None = None,
        resolver: Resolver = resolve,
        allow_private: bool = True,
        total_s: float = WAIT_S,
        tls: Any = None,
        chance: float = 0.0,
    ) -> Dispatcher:
        """A courier without jitter that is not started."""
        outgoing = HttpSender(
            allow_private=allow_private,
            lookups=ThreadPoolExecutor(4),
            resolver=resolver,
            total_s=total_s,
            tls=tls,
        )
        return Dispatcher(
            self.lanes(token),
            self.control,
            {WEBHOOK: Webhook(outgoing, clock=self.clock), **(channels or {})},
            clock=self.clock,
            chance=lambda: chance,
        )

    def subscribe(self, url: str, **how: Any) -> Subscriber:
        """A new subscriber."""
        return self.subscribers.add(url=url, **how)

    def decide(
        self,
        connection_id: str = "connection-1",
        type_: NotificationType = NotificationType.AUTHORIZED,
        *,
        company_id: str = "company-1",
        **data: Any,
    ) -> str:
        """A notification is decided and committed; its id."""
        number = next(self._numbers)
        id_ = f"ntf_{number:032x}"
        notification = Notification(
            id=id_,
            type=type_,
            timestamp=self.clock() + timedelta(microseconds=number),
            data={
                "merchant_id": "merchant-1",
                "company_id": company_id,
                "connection_id": connection_id,
                "platform_key": "gbol",
                "platform_name": "Xero",
                "source_type": "Accounting",
                "state": "authorized",
                "previous_state": "pending",
                "authorization": 1,
                "authorized_at": self.clock(),
                "occurred_at": self.clock(),
                "event_id": "msg_1",
                "data_types": {"complete": [], "failed": {}},
                "error": None,
                **data,
            },
        )
        with self.client.pipeline(transaction=True) as pipe:
            outbox.write(pipe, [notification], stream_length=1000)
            pipe.execute()
        return id_

    def says(self, code: str) -> Condition | None:
        """The condition with this code, where it holds."""
        found = evaluation.current(self.client, load(ENVIRON), now=self.clock())
        return next((one for one in found if one.code == code), None)

    def forward(self, seconds: float) -> datetime:
        """Let time pass."""
        return self.clock.forward(seconds)

    def status(self, notification_id: str, lane_id: str) -> str | None:
        """What became of a notification in a lane."""
        found = self.client.hget(keys.deliveries(notification_id), f"{lane_id}:status")
        return found.decode() if found else None

    def waiting(self, lane_id: str) -> dict[str, float]:
        """What waits in a lane, with the seconds until its next attempt."""
        now_ms = self.clock().timestamp() * 1000
        rows = self.client.zrange(keys.lane(lane_id), 0, -1, withscores=True)
        return {id_.decode(): (score - now_ms) / 1000 for id_, score in rows}

    def mode(self, lane_id: str) -> Mode:
        """How a lane stands."""
        return self.control.states([lane_id])[lane_id].mode
