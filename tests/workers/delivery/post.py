"""The collaborators of a delivering process; time moves only where a test moves it."""

import dataclasses
import itertools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from handlers.milestones import Notification, NotificationType
from processor.conditions import evaluation
from processor.conditions.model import Condition
from processor.delivery.channels import email, operators
from processor.delivery.channels.webhook import WEBHOOK
from processor.delivery.fan_out import FanOut
from processor.delivery.http_sender import HttpSender
from processor.delivery.lane import Mode
from processor.delivery.lane_admin import LaneAdmin
from processor.delivery.lanes import RENEW_S, Lanes
from processor.delivery.ssrf import Resolver, resolve
from processor.delivery.subscriber_cache import SubscriberCache
from processor.delivery.subscribers import Subscriber, Subscribers
from processor.resources import serializers
from processor.settings.loading import load
from processor.store import each_cell, keys, outbox
from processor.store.queries import Reader
from tests.support.serving import ENVIRON
from tests.support.workbench import Moving
from tests.workers.delivery.receiving import WAIT_S
from workers.delivery.attempt import AttemptRunner
from workers.delivery.channels.sender import Sender
from workers.delivery.channels.webhook import WebhookSender
from workers.delivery.dispatcher import LOOK_EVERY_S, Dispatcher

EMAIL, OPERATORS = email.EMAIL.name, operators.OPERATORS.name


class Post:
    """Lanes, subscribers and dispatchers on one engine."""

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        clock: Moving | None = None,
    ) -> None:
        self.client = client
        self.clock = clock or Moving()
        self.subscribers = Subscribers(client, allow_private=True, clock=self.clock)
        self.lane_admin = LaneAdmin(client, clock=self.clock)
        self.reader = Reader(client)
        self.settings = load(ENVIRON)
        self.cell = keys.cell_of("company-1")
        self._numbers = itertools.count(1)

    def lanes(self, token: str = "me") -> Lanes:
        """The lanes as the process ``token`` sees them."""
        return Lanes(
            self.client,
            subscribers=SubscriberCache(self.client, self.subscribers),
            settings=self.settings,
            token=token,
            clock=self.clock,
        )

    def set(self, **settings: Any) -> None:
        """Replace settings."""
        self.settings = dataclasses.replace(self.settings, **settings)

    def fan_out(self) -> None:
        """Put decided notifications into lanes. Raises what was refused of some of them."""
        fan_out = self._fan_out()
        fan_out.run()
        while fan_out.has_more:
            fan_out.run()
        if fan_out.error:
            raise fan_out.error

    def _fan_out(self) -> FanOut:
        return FanOut(
            self.client,
            subscribers=SubscriberCache(self.client, self.subscribers),
            settings=self.settings,
            clock=self.clock,
        )

    def dispatcher(
        self,
        *,
        token: str = "me",
        senders: Mapping[str, Sender] | None = None,
        resolver: Resolver = resolve,
        allow_private: bool = True,
        total_s: float = WAIT_S,
        tls: Any = None,
        chance: Callable[[], float] = lambda: 0.0,
        body_s: float = WAIT_S,
        renew_s: float = RENEW_S,
        look_every_s: float = LOOK_EVERY_S,
        grace_s: float = WAIT_S,
    ) -> Dispatcher:
        """A dispatcher without jitter that is not started; attempts and responses may take their time."""
        http = HttpSender(
            allow_private=allow_private,
            lookups=ThreadPoolExecutor(4),
            resolver=resolver,
            total_s=total_s,
            body_s=body_s,
            tls=tls,
        )
        lanes = self.lanes(token)
        attempts = AttemptRunner(
            lanes,
            {WEBHOOK.name: WebhookSender(http, clock=self.clock), **(senders or {})},
            clock=self.clock,
            chance=chance,
        )
        return Dispatcher(
            lanes,
            self._fan_out(),
            attempts,
            self.lane_admin,
            renew_s=renew_s,
            look_every_s=look_every_s,
            grace_s=grace_s,
            clock=self.clock,
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
        """Commit a notification in the cell of ``company-1``; its id."""
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
            outbox.write(pipe, self.cell, [notification])
            pipe.execute()
        return id_

    def says(self, code: str) -> Condition | None:
        """The condition with this code, where it holds."""
        conditions = evaluation.current(self.client, self.settings, now=self.clock())
        return next((condition for condition in conditions if condition.code == code), None)

    def forward(self, seconds: float) -> datetime:
        """Let time pass."""
        return self.clock.forward(seconds)

    def status(self, notification_id: str, lane_id: str) -> str | None:
        """What became of a notification in a lane."""
        rows = each_cell.replies(
            self.client,
            lambda pipe, cell: pipe.hget(keys.deliveries(cell, notification_id), f"{lane_id}:status"),
        )
        return next((status.decode() for status in rows if status), None)

    def attempts(self, notification_id: str) -> list[dict[str, Any]]:
        """The attempts of a notification with one delivery, as the API shows them."""
        row = self.reader.notification(notification_id)
        assert row is not None
        (delivery,) = serializers.notification(row)["deliveries"]
        attempts: list[dict[str, Any]] = delivery["attempts"]
        return attempts

    def waiting(self, lane_id: str) -> dict[str, float]:
        """The deliveries that wait in a lane, with the seconds until their next attempt."""
        now_ms = self.clock().timestamp() * 1000
        rows = each_cell.replies(
            self.client, lambda pipe, cell: pipe.zrange(keys.lane(cell, lane_id), 0, -1, withscores=True)
        )
        return {id_.decode(): (score - now_ms) / 1000 for row in rows for id_, score in row}

    def mode(self, lane_id: str) -> Mode:
        """The mode of a lane."""
        return self.lane_admin.states([lane_id])[lane_id].mode
